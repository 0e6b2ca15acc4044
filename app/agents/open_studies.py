"""The analysed corpora that a server for agents has open."""

from __future__ import annotations

from dataclasses import dataclass, field

from tamis.analytics.study.standard_analysis import steps_stamp
from tamis.analytics.study.study import Study
from tamis.app.dashboard.open_corpus import corpus_of, open_analysed, plan_of, stamp
from tamis.data.errors import SettingError
from tamis.data.workspace import CorpusEntry, Workspace


@dataclass
class OpenStudies:
    """Corpora of a workspace, opened when they are first asked for and again when their files change.

    Attributes:
        workspace: holds them.
        names: those an agent may ask about; all of the workspace when empty.
    """

    workspace: Workspace
    names: tuple[str, ...] = ()
    _open: dict[str, tuple[str, Study]] = field(default_factory=dict)

    def entries(self) -> tuple[CorpusEntry, ...]:
        """Return the corpora an agent may ask about, by name.

        Raises:
            SettingError: one of the names is unknown.
        """
        if not self.names:
            return tuple(self.workspace.corpora().values())
        return tuple(self.workspace.corpus(name) for name in sorted(self.names))

    def study(self, name: str) -> Study:
        """Return an analysed corpus.

        Raises:
            SettingError: an agent may not ask about it, or its analysis is not complete.
        """
        known = {entry.name: entry for entry in self.entries()}
        if name not in known:
            raise SettingError("There is no corpus of this name for agents", value=name, allowed=known or "none yet")
        current = f"{stamp(known[name])};{steps_stamp(self.workspace)}"
        if name not in self._open or self._open[name][0] != current:
            self._open[name] = (current, self._opened(known[name]))
        return self._open[name][1]

    def _opened(self, entry: CorpusEntry) -> Study:
        corpus = corpus_of(self.workspace, entry)
        missing = [step.spec.title for step in plan_of(self.workspace, corpus) if not step.done]
        if missing:
            raise SettingError(
                "The analysis of this corpus is not complete", value=missing[0],
                fix=f"a person runs: tamis analyze {entry.path} --name {entry.name}",
            )  # fmt: skip
        return open_analysed(self.workspace, entry.name, corpus).study
