"""`imgclf presets`: lists the named pairs of network and recipe."""

from __future__ import annotations

import click

__all__ = ["presets"]


@click.command()
def presets() -> None:
    """List the presets with their recipes.

    Sizes are for images of CIFAR-10.
    """
    from imgclf.architecture.describe import describe
    from imgclf.training.presets import BACKBONES, PRESETS

    shape, classes = (32, 32, 3), 10
    for preset in PRESETS.values():
        size = describe(preset.blocks(shape, classes), shape, classes)
        recipe = preset.base_recipe
        click.echo(f"{preset.name}: {preset.description}")
        click.echo(f"  on 32×32×3: {size.parameters:,} parameters, {size.macs:,} multiply-adds")
        click.echo(
            f"  {recipe.epochs} epochs, batch size {recipe.batch_size}, {recipe.optimizer} at "
            f"{recipe.learning_rate:g}, schedule {recipe.schedule}"
        )
        click.echo(f"  {preset.measured}")
    click.echo("Pretrained on ImageNet, from Keras; see the guide to transfer learning:")
    for backbone in BACKBONES.values():
        side = backbone.image_size
        click.echo(
            f"  {backbone.name}: {backbone.features:,} features, trained at {side}×{side} pixels"
        )
