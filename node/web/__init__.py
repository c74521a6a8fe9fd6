"""HTTP: alive, ready, metrics, DICOMweb, REST. Synchronous functions behind a thin asynchronous edge."""

from node.web.api import api_routes
from node.web.dicomweb import dicomweb_routes
from node.web.health import Health, health_routes
from node.web.server import Web
from node.web.viewer import viewer_routes

__all__ = ["Health", "Web", "api_routes", "dicomweb_routes", "health_routes", "viewer_routes"]
