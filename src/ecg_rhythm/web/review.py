"""Recordings whose labels may be wrong, for a person who looks at each and labels it on the page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from fastapi import APIRouter, HTTPException

from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.suspects import Suspect
from ecg_rhythm.inference.names import fibrillation_in, names_of
from ecg_rhythm.records import in_memory
from ecg_rhythm.web.worker import encoded


@dataclass(frozen=True)
class Review:
    """The recordings to look at.

    Attributes
    ----------
    store : Store
        The packed data set that they are in.
    suspects : list of Suspect
        What is known of each, in the order in which the page lists them.
    is_blind : bool
        Whether the page shows labels and predictions only after the person has labelled a recording.

    Raises
    ------
    BadInput
        If there is nothing to look at, or a recording is not in the data set.
    """

    store: Store
    suspects: list[Suspect]
    is_blind: bool

    def __post_init__(self) -> None:
        if not self.suspects:
            raise BadInput("there is no suspect to review; lower --sure")
        if missing := [one.record for one in self.suspects if one.record not in self._position]:
            raise BadInput(
                f"{self.store.folder}: recording {missing[0]} of the results is not in this data set; name the "
                "one that they are of with --data"
            )

    @cached_property
    def _position(self) -> dict[str, int]:
        """Name -> where it is in the store, of the suspects that are there."""
        wanted = {one.record for one in self.suspects}
        return {name: i for i, name in enumerate(self.store.names) if name in wanted}

    def listed(self) -> dict[str, Any]:
        """All recordings; what would spoil a blind review is left out."""
        return {
            "blind": self.is_blind,
            "data": self.store.fingerprint,
            "classes": self.store.classes,
            "names": names_of(self.store.classes),
            "fibrillation": fibrillation_in(self.store.classes),
            "recordings": [{"record": one.record} if self.is_blind else asdict(one) for one in self.suspects],
        }

    def recording(self, number: int) -> dict[str, Any]:
        """A recording with all that is known of it; the first has number 0.

        Raises
        ------
        BadInput
            If its samples are damaged.
        """
        one, fs = self.suspects[number], self.store.fs
        recording = in_memory(one.record, self.store.signal(self._position[one.record]), fs, "", 1.0)
        return asdict(one) | {"fs": fs, "seconds": recording.seconds, "signal": encoded(recording)}


def routes_of(review: Review | None) -> APIRouter:
    """Make the routes of a review; without one, they say that there is none."""
    router = APIRouter(prefix="/api/review", tags=["review"])

    def opened() -> Review:
        if review is None:
            raise HTTPException(404, "no review is open; start one with `ecg-rhythm suspects RESULT --review`")
        return review

    @router.get("")
    async def listed() -> dict[str, Any]:
        """The recordings to look at, if this server was started for a review."""
        return opened().listed()

    @router.get("/{number}")
    def recording(number: int) -> dict[str, Any]:
        """A recording of the review with its signal."""
        if not 0 <= number < len(opened().suspects):
            raise HTTPException(404, f"{number}: the review has no such recording; the first is 0")
        try:
            return opened().recording(number)
        except BadInput as error:
            raise HTTPException(422, str(error)) from None

    return router
