"""DICOMweb (PS3.18) without HTTP: what a query asks, what a client accepts, what an answer says.

attributes.py  which attributes are kept, searched and returned, at which level
names.py       person names, as people search for them
query.py       a query string → what is to match
matching.py    the kinds of matching (PS3.4 C.2.2.2)
entry.py       a header → what the index keeps of it
model.py       a header → the DICOM JSON Model (PS3.18 F.2)
xml.py         the DICOM JSON Model → the Native DICOM Model (PS3.19 A.1)
xml_reading.py and back
encoding.py    the DICOM JSON Model → an encoded data set
values.py      … value by value
codestreams.py what a compressed frame says of itself
accept.py      what a client would take, and which of it it gets (PS3.18 8.7)
pixels.py      where frames lie in a file; one-bit frames moved to the border of a byte
"""
