"""Checks the files of an organisation's models, one after the other."""

from tunewright.errors import JobFailed
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat


class Verify(Assignment):
    """Removals, and other organisations, go before the next model."""

    def run(self) -> None:
        tasks, task = self.tw.tasks, self.task
        with Heartbeat(tasks, task, self.stopping, lambda: None) as heartbeat:
            steps = self.begun.pop(task.id, None)
            steps = steps or self.acting.verifications.carry_out(task.subject)
            for _ in steps:
                if heartbeat.over or tasks.others_wait(task):
                    break
            else:
                return tasks.finish(task)
        tasks.renew(task)  # raises where nobody wants it any longer
        if self.stopping.is_set():
            return self.give_back()
        self.begun[task.id] = steps
        return tasks.pass_on(task)

    def failed(self, error: JobFailed) -> None:
        self.acting.verifications.fail(self.task.subject, error)
