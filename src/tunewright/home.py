"""Where everything of one home lies. Paths only: nothing here reads or writes.

HOME/
  catalog.db        records: identity, ownership, status
  settings.toml     the operator's choices (optional)
  speed.json        what was measured of this machine, for the plans of training
  lock              held by the server that runs on this home
  engine.sock       where the engine of that server is asked; engine.running while there is one
  blobs/            uploaded and result files, by id
  bases/            base models, each under its name and fingerprint, with a manifest
  downloads/        what was fetched for a base that is not added yet
  models/           tuned weights, each with a manifest
  exports/          what was written of models for elsewhere, each with a manifest
  vocabularies/     OpenAI's vocabularies, copied from where they were found
  imports/          what was fetched from other servers, a folder a source
  embeddings/       vectors of the tables that were searched or explored last; written/: which
                    outputs it has completed
  vectors/          one folder a vector store: chunks.db, the text of its chunks; index.db, their
                    vectors
  copies/           how far `tunewright vectors copy` has come, a folder a copy
  jobs/             one folder a job: recipe, checkpoints, log
  batches/          one folder a batch that runs: the answers that there are
"""

from dataclasses import dataclass
from pathlib import Path

from tunewright import names


@dataclass(frozen=True)
class Home:
    root: Path

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.db"

    @property
    def speed(self) -> Path:
        return self.root / "speed.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def bases(self) -> Path:
        return self.root / "bases"

    @property
    def downloads(self) -> Path:
        return self.root / "downloads"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def vocabularies(self) -> Path:
        return self.root / "vocabularies"

    @property
    def imports(self) -> Path:
        return self.root / "imports"

    @property
    def embeddings(self) -> Path:
        return self.root / "embeddings"

    @property
    def copies(self) -> Path:
        return self.root / "copies"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    def job(self, id: str) -> Path:
        return self.jobs / names.id(id)

    @property
    def batches(self) -> Path:
        return self.root / "batches"

    def batch(self, id: str) -> Path:
        return self.batches / names.id(id)

    @property
    def vectors(self) -> Path:
        return self.root / "vectors"

    def vector_store(self, id: str) -> Path:
        return self.vectors / names.id(id)

    def inside(self, relative: str) -> Path:
        """Where a place (`artefacts`) lies. Raises Corrupt where that is not in this home."""
        return names.inside(self.root, relative)

    @property
    def socket(self) -> Path:
        """The engine's Unix socket. In the home, whose files nobody clears away, and which has one
        name for all processes; of a long path `serving.protocol.address` makes one that fits."""
        return self.root / "engine.sock"

    @property
    def engine_running(self) -> Path:
        """There while the engine runs: to connect to its socket would start it."""
        return self.socket.with_suffix(".running")
