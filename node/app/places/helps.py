"""What each key of a destination, a group or a source means, for who fills in a form."""

from __future__ import annotations

from node.core.places import Family

WHERE, ORDER, TRUST, FORMS, WHEN = "where", "order", "trust", "forms", "when"

_BOTH = {
    "url": (WHERE, "Where it answers, like https://pacs.example/dicom-web."),
    "user": (TRUST, "User name of Basic authentication."),
    "password": (TRUST, "Its password. It is never shown again; leave it empty to keep the one that is set."),
}

HELPS: dict[Family, dict[str, tuple[str, str]]] = {
    Family.DESTINATION: {
        **_BOTH,
        "ae_title": (WHERE, "The AE title that the PACS listens to; 1 to 16 characters, capitals count."),
        "host": (WHERE, "Its name or address."),
        "port": (WHERE, "Its port: 104 or 11112 by custom, 2762 for TLS."),
        "path": (WHERE, "A folder of this machine, below one of places.folders in node.toml."),
        "labels": (WHERE, "Put on the study, one a line; Orthanc 1.12 or later."),
        "token": (TRUST, "Bearer token, in place of user and password. It is never shown again."),
        "tls": (TRUST, "Speak TLS (BCP 195)."),
        "tls_ca": (TRUST, "PEM file with the authorities of its certificate; empty: those of the system."),
        "tls_certificate": (TRUST, "PEM file with this node's own certificate and its chain, where it asks for one."),
        "tls_key": (TRUST, "PEM file with the key of that certificate, without a password."),
        "seg": (FORMS, "Which form of Segmentation it gets."),
        "sr": (FORMS, "planar: outlines with values; segment: points to the BINARY Segmentation."),
        "overlay": (FORMS, "Colour pictures (Secondary Capture), for viewers that show neither SEG nor SR."),
        "gsps": (FORMS, "The outlines as a presentation state."),
        "pdf": (FORMS, "A page for people."),
        "proof": (WHEN, "What makes a delivery sure: its answer, found by a query, or storage commitment."),
        "commitment_seconds": (WHEN, "How long a report of storage commitment may take; then C-FIND decides."),
        "timeout_seconds": (WHEN, "How long an answer may take."),
        "windows": (WHEN, "Times of day by the clock of the node at which it is not tried, one a line: 22:00-04:00."),
        "max_parallel": (WHEN, "Deliveries at once in each process; 0: as they come."),
        "remove_test_object": (WHEN, "Whether a test may delete what it stored."),
    },
    Family.GROUP: {
        "members": (ORDER, "Destinations in the order in which they are tried. All of them want the same results."),
    },
    Family.SOURCE: {
        **_BOTH,
        "ae_title": (WHERE, "The AE title that the modality sends from; 1 to 16 characters, capitals count."),
        "hosts": (WHERE, "Addresses that it may send from, one a line; none: from anywhere."),
        "path": (WHERE, "A folder of this machine, below one of places.folders in node.toml."),
        "modalities": (WHERE, "Only instances of these modalities, one a line; a single - for all of them."),
        "certificate_name": (TRUST, "Common name that its TLS certificate must have; empty: any certificate."),
        "quiet_seconds": (WHEN, "How long nothing must have come before a series counts as complete."),
        "poll_seconds": (WHEN, "How often it is looked at."),
        "settle_seconds": (WHEN, "A file that did not change for so long is whole."),
        "received": (WHEN, "What becomes of a file that is in the ledger: moved into .received, or deleted."),
        "query.ae_title": (WHEN, "AE title that is asked by C-FIND how many instances a series has."),
        "query.host": (WHEN, "Its name or address; leave all of query empty to ask nobody."),
        "query.port": (WHEN, "Its port."),
        "query.timeout_seconds": (WHEN, "How long it may take."),
        "commitment.host": (WHEN, "Where it hears reports of storage commitment, if the node offers that."),
        "commitment.port": (WHEN, "The port there."),
        "commitment.timeout_seconds": (WHEN, "How long it may take."),
    },
}
