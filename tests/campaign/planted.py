"""Faults of the protocol to plant, one at a time, as data. Each ``old`` text must occur exactly once in its file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """``first``: tests that are asked before the others, to save time; ``also``: tests that are run when neither the
    quick ones nor the simulator notice.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: str
    also: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


_SUBMISSION = "reconciler/applying/submission.py"
_SENDING = "reconciler/applying/sending.py"
_RECORD = "reconciler/applying/record.py"
_CLAIMS = "reconciler/applying/claims.py"
_SETTLING = "reconciler/applying/settling.py"
_SETTLE = "reconciler/applying/settle.py"
_RESOLVE = "reconciler/applying/resolve.py"
_PRECONDITIONS = "reconciler/applying/preconditions.py"
_OUTCOMES = "reconciler/dataframer/outcomes.py"
_TRANSPORT = "reconciler/dataframer/transport.py"
_DIRECT = "reconciler/dataframer/direct.py"
_DIFF = "reconciler/planning/diff.py"

_JOURNAL = (
    Mutant("sending-left-out", _SUBMISSION, "effects.append(Commit(attempt_id, Phase.SENDING))",
           "effects.append(Send(attempt_id))", "the POST starts without a SENDING commit"),
    Mutant("sending-after-the-post", _RECORD, "for commit in commits for write in self._step(commit)])",
           "for step in commits if step.phase is not Phase.SENDING\n"
           "            for commit in (Commit(step.attempt_id, Phase.SENDING), step) for write in self._step(commit)])",
           "SENDING is durable only once the answer is there"),
    Mutant("unknown-sent-again", _SUBMISSION, "return Commit(attempt_id, Phase.UNKNOWN, why)",
           "return Commit(attempt_id, Phase.PREPARED, why)", "an unknown outcome is PREPARED, and sent again"),
    Mutant("unknown-as-rejected", _SUBMISSION, "return Commit(attempt_id, Phase.UNKNOWN, why)",
           "return Commit(attempt_id, Phase.REJECTED, why)", "an unknown outcome is final, and hidden"),
    Mutant("prepared-left-out-before-a-wait", _RECORD, "for commit in commits for write in self._step(commit)])",
           "for commit in commits if commit.phase is not Phase.PREPARED for write in self._step(commit)])",
           "what was certainly not executed stays SENDING while it waits"),
    Mutant("place-given-back-twice", _SUBMISSION, "if event.phase is not Phase.ACCEPTED:", "if True:",
           "more requests are on the wire at once than the pace allows"),
    Mutant("stop-ignored-after-sending", _SUBMISSION, "            if self.stopped:  # not sent yet",
           "            if False:  # not sent yet", "a stop between the commit and the POST is ignored"),
    Mutant("retry-after-ignored", _SUBMISSION, "self._backoff(state.later) if wait is None else wait",
           "self._backoff(state.later)", "the service's Retry-After is ignored"),
    Mutant("one-waits-for-all", _SUBMISSION, "self._paused_until = max(self._paused_until, now + min(seconds,",
           "state.ready_at = max(state.ready_at, now + min(seconds,", "a 429 slows its own submission alone"),
    Mutant("no-pause", _SUBMISSION, "self._paused_until = max(self._paused_until, now + PAUSE_SECONDS)", "pass",
           "three unknowns in a row: no pause"),
    Mutant("no-probe", _SUBMISSION, "return 1 if self._streak >= UNKNOWN_STREAK else self.pace.parallelism",
           "return self.pace.parallelism", "after the pause everybody is sent at once"),
    Mutant("probe-decides-nothing", _SUBMISSION, "if attempt_id == self._probe:", "if False:",
           "a failed probe does not end submitting"),
    Mutant("gives-up-never", _SUBMISSION, "if state.not_sent >= NOT_SENT_TRIES:", "if False:",
           "what can't be sent is tried without end"),
)  # fmt: skip

_EVIDENCE = (
    Mutant("500-rejected", _OUTCOMES, "431, 501, 505)", "431, 500, 501, 505)", "500 counts as a refusal"),
    Mutant("409-rejected", _OUTCOMES, "*range(400, 408)", "*range(400, 408), 409", "409 counts as a refusal"),
    Mutant("408-rejected", _OUTCOMES, "*range(400, 408)", "*range(400, 409)", "408 counts as a refusal"),
    Mutant("503-later", _OUTCOMES, "if status == 503 and retry_after:", "if status == 503:",
           "a 503 without Retry-After is sent again"),
    Mutant("504-later", _OUTCOMES, "dict.fromkeys((425, 429), Class.LATER)",
           "dict.fromkeys((425, 429, 504), Class.LATER)", "a gateway's time-out is sent again"),
    Mutant("3xx-rejected", _OUTCOMES, "    | dict.fromkeys((425, 429), Class.LATER)",
           "    | dict.fromkeys((425, 429), Class.LATER) | dict.fromkeys(range(300, 400), Class.REJECTED)",
           "a redirect counts as a refusal"),
    Mutant("unlisted-rejected", _OUTCOMES, "_CLASSES.get(status, Class.UNKNOWN)",
           "_CLASSES.get(status, Class.REJECTED)", "what the table does not list counts as a refusal"),
    Mutant("2xx-without-id-rejected", _OUTCOMES,
           'return Unknown(f"HTTP {answer.status} without a usable run id")',
           'return Rejected(answer.status, "no usable run id", stop=False)', "a 2xx that can't be read is a refusal"),
    Mutant("401-goes-on", _OUTCOMES, "dict.fromkeys((401, 402, 403), Class.REJECTED_STOP)",
           "dict.fromkeys((401, 402, 403), Class.REJECTED)", "a wrong key does not stop submitting"),
    Mutant("no-answer-not-sent", _OUTCOMES, "case NoAnswer(sent=False):", "case NoAnswer():",
           "a dropped answer counts as not sent"),
    Mutant("trace-ignored", _TRANSPORT, "return NoAnswer(sent, ", "return NoAnswer(False, ",
           "that the first byte left is not noticed"),
    Mutant("redirects-followed", _TRANSPORT, "self._engine().open(call, trace)",
           "ByHttpx(self._base_url, type('Following', (), {'handle_request': lambda _, request: httpx.Client(\n"
           "                transport=DeadlineTransport(verify=False), follow_redirects=True\n"
           "            ).send(request, stream=True)})()).open(call, trace)",
           "the POST and the key follow a redirect"),
    Mutant("dead-connection-used", _DIRECT, "self._readable.poll(0)", "False",
           "a connection that the service has closed is written to",
           also=("tests/dataframer/test_transport_faults.py",)),
    Mutant("leftovers-kept", _DIRECT, "if not self._whole or self._rest:", "if not self._whole:",
           "what was said unasked is taken for the next answer", also=("tests/dataframer/test_direct.py",)),
    Mutant("half-read-kept", _DIRECT, "if not self._whole or self._rest:", "if self._rest:",
           "the rest of an answer is taken for the next one", also=("tests/dataframer/test_direct.py",)),
    Mutant("no-total-deadline", _TRANSPORT, "with within(seconds), closing(", "with closing(",
           "a server that drips holds a POST open without end"),
    Mutant("called-off-but-sent", _TRANSPORT, "                before_first_byte()\n", "                pass\n",
           "nobody is asked before the first byte"),
    Mutant("slept-ignored", _SENDING, "MAX_DELAY_SECONDS: Final = 5.0", "MAX_DELAY_SECONDS: Final = 1e9",
           "a machine that slept after the commit sends all the same"),
    Mutant("create-sent-twice", "reconciler/dataframer/client.py", "        return judge_create(reply)\n",
           "        if isinstance(reply, NoAnswer):\n"
           '            reply = self._transport.send("POST", _RUNS, json=body, seconds=seconds)\n'
           "        return judge_create(reply)\n", "the create call is repeated as the vendor's SDK does"),
)  # fmt: skip

_SETTLEMENT = (
    Mutant("baseline-ignored", _CLAIMS, "run.id not in pending.baseline", "run.id", "runs of before are candidates"),
    Mutant("baseline-of-other-specs", _RECORD, "if run.spec_id in spec_ids]", "if run.spec_id not in spec_ids]",
           "the baseline holds the runs of other specs"),
    Mutant("baseline-without-newest", _RECORD, "newest = listing.runs[0].id if listing.runs else None",
           "newest = None", "a stale list can't be told from a whole one"),
    Mutant("created-at-sign", _CLAIMS, "pending.not_before - CLOCK_TOLERANCE", "pending.not_before + CLOCK_TOLERANCE",
           "a run of the first five minutes is no candidate"),
    Mutant("other-specs-fit", _CLAIMS, 'and run.spec_id.lower() == pending.body.get("spec_id")', "",
           "runs of other specs are candidates"),
    Mutant("owned-runs-fit", _SETTLE, "if not owner.provisional}", "if False}", "runs with an owner are candidates"),
    Mutant("near-ignored", _CLAIMS, "                mine.append(run.id)", "                pass",
           "a run that the service rewrote is overlooked"),
    Mutant("doubt-ignored", _SETTLING, "claim = doubts.get(pending.attempt_id, claim)", "pass",
           "a rewritten run does not keep a submission from being absent"),
    Mutant("first-that-fits", _CLAIMS, "mine = certain.get(kind, [])", "mine = list(rivals)",
           "of several runs that fit, the first is adopted"),
    Mutant("every-matching-is-certain", "reconciler/applying/matching.py",
           "if matching_size(groups, without=(kind, runs[0])) < size:", "if size:",
           "one way of matching is enough"),
    Mutant("rivals-not-ambiguous", _CLAIMS, "if len(rivals) > len(members):", "if False:",
           "more runs than submissions are not ambiguous"),
    Mutant("no-settle-time", _SETTLING, "if now < settle_at:", "if False:", "a run is adopted at once"),
    Mutant("no-dead-time", _SETTLING, "pending.deadline + patience.settle, pending.deadline + patience.dead",
           "pending.deadline + patience.settle, pending.deadline", "nothing is waited for before absence"),
    Mutant("one-list-is-enough", _SETTLING, "lists: int = 2", "lists: int = 1", "one list proves absence"),
    Mutant("stale-list-counts", _SETTLE, "if self._is_whole(snapshot, listing):", "if True:",
           "a list that lacks a known run proves absence"),
    Mutant("404-inverted", _SETTLE, "if self.client.get_run(run_id) is not None:",
           "if self.client.get_run(run_id) is None:", "a list without a run that exists counts as whole"),
    Mutant("confirmed-at-once", _SETTLING, "if now >= dead_at and complete:", "if True:",
           "a provisional adoption is for good at once"),
    Mutant("confirmed-without-a-list", _SETTLING, "if now >= dead_at and complete:", "if now >= dead_at:",
           "an adoption is for good without a whole list"),
    Mutant("never-reopened", _SETTLE, "elif attempt.provisional:", "elif False:",
           "a second run that fits does not reopen an adoption"),
    Mutant("left-behind-as-prepared", _SETTLE, "self._recorder.left_behind(attempt)",
           'self._recorder.resubmit(attempt, "the process ended")', "what a dead process was sending is sent again"),
    Mutant("absent-resubmitted-unasked", _SETTLE, "or self._resubmit_after is None:\n            return False",
           "and True:\n            return False\n        if self._resubmit_after is None:\n            return True",
           "nobody is asked before an absent one is sent"),
    Mutant("resubmitted-before-the-dead-time", _RESOLVE,
           "if not decided or now < verdict.dead_at:", "if not decided:",
           "a person may send again what may still be executed"),
    Mutant("glob-resubmits-ambiguous", _RESOLVE, "if exact else (Standing.ABSENT,)",
           "if exact else (Standing.ABSENT, Standing.AMBIGUOUS)", "a glob sends ambiguous submissions again"),
    Mutant("abandoned-as-prepared", _RECORD, 'Phase.ABANDONED, "settled_abandoned"',
           'Phase.PREPARED, "settled_abandoned"', "what was given up is bought by the next apply"),
)  # fmt: skip

_AROUND = (
    Mutant("owed-not-with-the-acceptance", _RECORD,
           'writes += self._displaced(item.action, f"replaced by run {run.id}", now)', "pass",
           "the displaced run's cancel is not committed with the acceptance"),
    Mutant("owed-before-the-acceptance", _RECORD,
           "writes += [Put(item.attempt), *self._begun(item.action, item.attempt.attempt_id)]",
           "writes += [Put(item.attempt), *self._begun(item.action, item.attempt.attempt_id)]\n"
           '            writes += self._displaced(item.action, "to be replaced", now)',
           "the old run is cancelled although its successor was not accepted"),
    Mutant("owed-not-with-the-adoption", _RECORD, "if working and other.attempt_id != attempt.attempt_id:",
           "if False:", "a run displaced by an adopted one is never cancelled"),
    Mutant("owed-paid-too-early", "reconciler/applying/ending.py", "if run is None or run.status.final:", "if True:",
           "a cancel counts as done while the run still works"),
    Mutant("row-1-dropped", _DIFF,
           "    if blocking is not None:  # row 1\n        return [unknown(address, blocking, recorded.busy, instance,",
           "    if False:  # row 1\n        return [unknown(address, blocking, recorded.busy, instance,",
           "a declared address with an unknown submission is decided anew"),
    Mutant("unknown-not-checked", _PRECONDITIONS, "if action.address in snapshot.open:", "if False:",
           "an old plan buys although a submission is unknown"),
    Mutant("preconditions-not-checked", _PRECONDITIONS, "if now == action.precondition:", "if True:",
           "an old plan buys although the run has changed"),
    Mutant("no-lock", "reconciler/applying/apply.py",
           "with tools.store.lock(options.command, options.lock_seconds):", "if True:", "a wave takes no lock"),
    Mutant("lock-admits-all", "state/memory/lock.py",
           "if not (lock.acquire(timeout=left) if left > 0 else lock.acquire(blocking=False)):",
           "if not (lock.acquire(timeout=0.01) or True):",
           "the lock keeps nobody out"),
    Mutant("set-back-between-waves", "reconciler/applying/purchases.py",
           "if self._guarded and not fresh.snapshot.restarted:", "if self._guarded:",
           "a state that was set back while an apply waits for room buys again",
           also=("tests/campaign/test_setback.py",)),
    Mutant("dependent-too-early", "reconciler/applying/purchases.py", "address in self._pending or ", "",
           "the run that a dependency had before its replacement counts as the dependency",
           also=("tests/acceptance/test_depends_on.py",)),
    Mutant("moved-onto-another", "reconciler/applying/preconditions.py",
           '    if new in snapshot.instances:\n        return "outdated"', '    if False:\n        return "outdated"',
           "a move may take the place of a run", also=("tests/applying/test_move_preconditions.py",)),
    Mutant("run-id-shared", "state/tables.py", "if attempt.run_id in self.runs:", "if False:",
           "two attempts may have one run"),
    Mutant("run-id-lost", "state/rules.py", "and not before.provisional and after.run_id != before.run_id",
           "and False", "an attempt may lose or change its final run"),
    Mutant("final-goes-back", "state/rules.py", '"status": attempt.status if final else',
           '"status": write.status if final else', "a final status may go back"),
    Mutant("not-synced", "state/sqlite/connection.py", "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF",
           "a commit may be lost with the machine's power"),
)  # fmt: skip

_STORE = "state/postgres/store.py"
_ADVISORY = "state/postgres/advisory.py"
_SESSION = "state/postgres/session.py"
_ACCESS = "state/postgres/access.py"
_POSTGRES = (
    Mutant("pg-epoch-not-checked", _STORE, "if decided and self._epoch not in (None, begun.epoch):", "if False:",
           "a holder whose lock was broken goes on recording"),
    Mutant("pg-commit-before-the-check", _STORE,
           "            if decided and self._epoch not in (None, begun.epoch):\n"
           "                raise StateLockLost(begun.epoch_by)\n            yield begun\n",
           "            yield begun\n            if decided and self._epoch not in (None, begun.epoch):\n"
           "                raise StateLockLost(begun.epoch_by)\n",
           "the epoch is checked once everything is committed"),
    Mutant("pg-row-not-locked", "state/postgres/writing.py", "WHERE workspace = %s FOR NO KEY UPDATE",
           "WHERE workspace = %s", "two commits at once do not know of each other",
           first=("tests/state/test_at_once.py",)),
    Mutant("pg-lock-admits-all", _ADVISORY, "        if not got:\n            return None\n", "",
           "the lock keeps nobody out"),
    Mutant("pg-lock-not-known-of", _ADVISORY, "    if not held:", "    if False:",
           "a server that grants a lock and holds none is believed"),
    Mutant("pg-lock-never-given-back", _STORE,
           "advisory.free(self._session, self._workspace.number, taken.breaks)", "pass",
           "the lock is kept until the session ends"),
    Mutant("pg-lock-kept-after-a-failure", _ADVISORY,
           "                free(session, workspace, breaks)\n            raise",
           "                pass\n            raise",
           "a lock that nobody knows of is kept"),
    Mutant("pg-taking-raises-no-epoch", _ADVISORY, "AS w SET epoch = epoch + 1,", "AS w SET epoch = epoch,",
           "who takes the lock does not shut out the holder of before"),
    Mutant("pg-breaking-raises-no-epoch", _ADVISORY,
           "workspaces SET epoch = epoch + 1,", "workspaces SET epoch = epoch,",
           "who breaks the lock does not shut out its holder"),
    Mutant("pg-broken-lock-stays", _ADVISORY, "breaks = breaks + 1", "breaks = breaks",
           "a broken lock is still held by its session"),
    Mutant("pg-reconnecting-keeps-the-lock", _STORE, "self._lost = self._lost or self._holding", "pass",
           "a holder that lost its session, and the lock with it, goes on recording over a new one"),
    Mutant("pg-decided-tried-again", _STORE,
           "        with self._guard, translated(self.place):\n"
           "            return self._record(self._live(), writes, decided=True)",
           "        return self._patiently(lambda session: self._record(session, writes, decided=True))",
           "a decision whose commit may have been done is made once more"),
    Mutant("pg-hanging-session-goes-on", _SESSION, "                self.close()\n            raise",
           "                pass\n            raise", "a step is sent after one that was given up unanswered"),
    Mutant("pg-not-synced", _SESSION, 'durable = "on" if', 'durable = "off" if',
           "a commit is acknowledged before it is on disk"),
    Mutant("pg-fsync-off-accepted", _SESSION, "    if not facts.fsync:", "    if False:",
           "a server that never syncs is written to"),
    Mutant("pg-pooler-accepted", _SESSION, "if len(mine) > 1 or len(others) > 1 or mine & others:", "if False:",
           "the lock may be another client's"),
    Mutant("pg-mark-outlives-the-server", "state/postgres/queries.py",
           "restarted=any(mark[0] == UNTRACKED and mark[-1] != server for mark in marks)", "restarted=False",
           "a server set back to a copy buys again on a machine that remembers nothing"),
    Mutant("pg-start-does-not-count", _ACCESS, ", pg_postmaster_start_time())", ")",
           "a server that was set back or took over is taken for the same"),
    Mutant("pg-tables-do-not-count", _ACCESS, "d.oid, c.oid, pg_relation_filenode(c.oid), ", "",
           "tables that were put back are taken for the same"),
    Mutant("pg-other-lineage-goes-on", _STORE, "if workspace.lineage != self._workspace.lineage:", "if False:",
           "a command goes on in a state that took the place of its own"),
)  # fmt: skip

MUTANTS: tuple[Mutant, ...] = (*_JOURNAL, *_EVIDENCE, *_SETTLEMENT, *_AROUND, *_POSTGRES)

# What the campaign says of these is known: a mutant that changes nothing survives, a text that isn't there is an error.
CHANGES_NOTHING = Mutant(
    "control: a comment", _SUBMISSION, "NOT_SENT_TRIES: Final = 5\n", "NOT_SENT_TRIES: Final = 5  # five\n", "nothing"
)
IS_NOT_THERE = Mutant("control: no such text", _SUBMISSION, "a text that is not there", "", "nothing")
