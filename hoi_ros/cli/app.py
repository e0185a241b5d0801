"""The commands of ``hoi``. What they need is imported when they run, so that --help is quick."""

from __future__ import annotations

import typer

from hoi_ros.cli import benchmark, data, demo, estimate, evaluate, grasp, play, refine, retarget, simulate, train, view

app = typer.Typer(
    name="hoi",
    help="From camera pictures to MANO hands and Shadow Hand goals, without or on a ROS graph.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    demo.demo,
    play.play,
    evaluate.evaluate,
    estimate.estimate,
    retarget.retarget,
    view.view,
    benchmark.benchmark,
):
    app.command()(command)
app.command()(grasp.grasp)
app.command()(refine.refine)
app.command()(simulate.simulate)
app.command()(train.train)
app.command()(train.score)
app.add_typer(data.data, name="data")
