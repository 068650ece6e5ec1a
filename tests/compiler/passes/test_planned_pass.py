from collections.abc import Callable

from compiler.ir.schedule import Schedule
from compiler.passes.model_pass import model_pass
from compiler.passes.planned_pass import PassBlock, PassStage, walk_pass

Compile = Callable[..., Schedule]


class Recorded:
    """Steps that note what they are asked to do."""

    def __init__(self) -> None:
        self.blocks: list[PassBlock] = []
        self.others: list[str] = []

    def block(self, stage: PassStage, block: PassBlock) -> None:
        assert any(block is each for each in stage.blocks)
        self.blocks.append(block)

    def stage_transfer(self, stage: PassStage, following: PassStage) -> None:
        self.others.append(f"{stage.index} to {following.index}")

    def token_return(self, stage: PassStage) -> None:
        self.others.append(f"{stage.index} returns")


def test_a_pass_walks_through_the_blocks_of_its_stages_and_returns(
    compiled: Compile,
) -> None:
    planned = model_pass(compiled(2, 3).plan)
    recorded = Recorded()
    walk_pass(planned, recorded)
    assert recorded.blocks == [b for stage in planned.stages for b in stage.blocks]
    assert recorded.others == ["0 to 1", "1 to 2", "2 returns"]
