"""An implementation of the Dataframer API for tests, written from its documents and independent of the product."""

from tests.service import answers
from tests.service.fake import KEY, LETTERS, RUNS, SPECS, TICKETS, FakeService
from tests.service.server import Request
from tests.service.world import Run, Spec

__all__ = ["KEY", "LETTERS", "RUNS", "SPECS", "TICKETS", "FakeService", "Request", "Run", "Spec", "answers"]
