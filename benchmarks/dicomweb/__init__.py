"""DICOMweb: `python -m benchmarks.dicomweb peers|index|overlay`, each with --quick.

peers    this node beside Debian's Orthanc with its DICOMweb plugin, on the same studies, taking turns
index    searches over 100 000 studies, and over 1 000 000 series while instances come in
overlay  from a link to the first overlay on the screen, OHIF served by this node and by Orthanc, in headless Chromium
"""
