"""How a module is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from engrain.errors import InputError

OPTIMIZERS = ("muon", "adamw")
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a module; the defaults suit a model of some hundred million parameters and modules of 4 to 24 facts."""

    rank: int = 8
    """LoRA rank r."""
    alpha: int = 16
    """LoRA α; the update is scaled by α / r."""
    top: float = 1 / 3
    """Share of the decoder layers, from the top, that is adapted; those below run once and are cached."""
    targets: tuple[str, ...] = LINEARS
    """Adapted linears of a layer."""
    optimizer: str = "muon"
    """`muon`, or `adamw` for comparison."""
    learning_rate: float = 1.4e-3
    """Peak of the cosine schedule; for Muon what an entry moves in a step in the root mean square."""
    momentum: float = 0.8
    """Of Muon."""
    warmup: int = 4
    """Steps of linear warm-up."""
    batch_size: int = 8
    """Examples a step."""
    epochs: int = 6
    """At most; learning stops earlier at recall."""
    least_steps: int = 60
    """Where the epochs are shorter than this many steps together, there are more of them."""
    settle: int = 28
    """Steps after that, made up to whole epochs, in which the learning rate goes down and ordinary text is put right again."""
    rounds: int = 2
    """It settles so many times at most, from the update fitted anew with twice the weight of the time before; once where nothing is fitted."""
    calm: float = 9e-4
    """It does not settle again where final states on ordinary text are no farther from the base model's, squared and relative to their size: between
    6e-4 and 1.2e-3, which told as much rightly and did no more harm (`evals/studies/settling`)."""
    finish: int = 3
    """Epochs at most behind those, each of the examples that are not known when all are looked at before it; none without `rest`."""
    settle_rate: float = 0.1
    """Learning rate at which that begins, as a share of the peak."""
    locality: float = 64.0
    """Weight of the term that holds the model's states on ordinary text where they were; 0 leaves it out."""
    locality_every: int = 2
    """Steps from one showing of ordinary text to the next while it learns; while it settles half as many."""
    refit: float = 6.0
    """Before it first settles the update is fitted anew with this weight on ordinary text's inputs (see `refit`); 0 leaves it out. Nothing is fitted
    where `locality` or `settle` is 0 or the lower layers cannot be cached."""
    known: float = 0.5
    """A token already predicted with a higher probability adds no loss."""
    sure: float = 0.65
    """The same while it settles, if that is more, so that what it knows it also says where numbers are rounded otherwise."""
    soften: float = 0.0
    """Share of the target that is what the base model would say with the fact in view (context distillation); 0 trains the answer alone."""
    recalled: float = 0.95
    """Share of trained examples answered exactly, before their update, at which training stops."""
    patience: int = 1
    """Epochs in a row that must reach `recalled`."""
    rest: bool = True
    """Whether an example known whole rests for an epoch; without it every example is shown equally often."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InputError for a value that is none, or an optimizer there is none of."""
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            wanted = (int, float) if kind is float else (tuple, list) if kind is tuple else kind
            if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
                raise InputError(
                    f"recipe {field.name} = {value!r} is no {'list' if kind is tuple else kind.__name__}; write one as {field.default!r} is"
                )
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"optimizer {self.optimizer!r} is unknown; choose of {', '.join(OPTIMIZERS)}")

    def as_dict(self) -> dict[str, object]:
        """For the manifest."""
        return asdict(self)
