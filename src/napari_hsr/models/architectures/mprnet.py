"""MPRNet as trained for spectral reconstruction: quarters, then halves, then the whole image.

Zamir et al. 2021, "Multi-Stage Progressive Image Restoration", in the size of the MST++
toolbox (Cai et al. 2022). Stage 1 sees the four quarters of the padded image on their own,
stage 2 its upper and lower halves, stage 3 the whole; a seam of a stage is part of the
network. One PReLU serves all units: its value is stored under many keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import ChannelGate, Module, SupervisedAttention, pad_below_right
from napari_hsr.models.model import TileDifference


@dataclass(frozen=True)
class Widths:
    """What the stages agree upon.

    ``image`` channels carry the picture between stages (as many as there are bands),
    ``features`` the first level; each deeper level adds ``step``, the last stage ``extra``.
    """

    image: int = 31
    features: int = 31
    step: int = 31
    extra: int = 31
    units: int = 4
    reduction: int = 1
    bias: bool = False
    act: nn.PReLU = field(default_factory=nn.PReLU)

    def level(self, depth: int) -> int:
        """Channels at a depth of the U, 0 being full resolution."""
        return self.features + depth * self.step

    def conv(self, inputs: int, outputs: int, size: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=self.bias)

    def unit(self, width: int) -> Unit:
        return Unit(self, width)

    def pair(self, width: int) -> nn.Sequential:
        return nn.Sequential(self.unit(width), self.unit(width))


class Unit(Module):
    """Residual unit whose channels are weighted by their means."""

    def __init__(self, w: Widths, width: int):
        super().__init__()
        self.CA = ChannelGate(width, width // w.reduction, bias=w.bias)
        self.body = nn.Sequential(w.conv(width, width, 3), w.act, w.conv(width, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.CA(self.body(x)) + x


class Rescale(Module):
    """Bilinear resampling by a factor, then a 1×1 convolution; ``name`` is that of its keys."""

    def __init__(self, name: str, factor: float, inputs: int, outputs: int):
        super().__init__()
        self._name = name
        resample = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
        self.add_module(name, nn.Sequential(resample, nn.Conv2d(inputs, outputs, 1, bias=False)))

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self._name)(x)


def _down(w: Widths, depth: int) -> Rescale:
    return Rescale("down", 0.5, w.level(depth), w.level(depth + 1))


def _up(w: Widths, depth: int) -> Rescale:
    return Rescale("up", 2, w.level(depth + 1), w.level(depth))


class Encoder(Module):
    """Three levels down; in stage 2 the levels of stage 1 are added to its own."""

    def __init__(self, w: Widths, fused: bool):
        super().__init__()
        self.encoder_level1 = w.pair(w.level(0))
        self.encoder_level2 = w.pair(w.level(1))
        self.encoder_level3 = w.pair(w.level(2))
        self.down12 = _down(w, 0)
        self.down23 = _down(w, 1)
        for side in ("enc", "dec") if fused else ():
            for depth in range(3):
                width = w.level(depth)
                self.add_module(f"csff_{side}{depth + 1}", w.conv(width, width, 1))

    def forward(
        self, x: Tensor, before: tuple[list[Tensor], list[Tensor]] | None = None
    ) -> list[Tensor]:
        """Features of the three levels; ``before``: encoder and decoder levels of stage 1."""
        levels = []
        for depth, down in enumerate((None, self.down12, self.down23)):
            x = getattr(self, f"encoder_level{depth + 1}")(down(x) if down else x)
            if before is not None:
                for side, outs in zip(("enc", "dec"), before, strict=True):
                    x = x + getattr(self, f"csff_{side}{depth + 1}")(outs[depth])
            levels.append(x)
        return levels


class Decoder(Module):
    """Three levels up, with gated skips."""

    def __init__(self, w: Widths):
        super().__init__()
        self.decoder_level1 = w.pair(w.level(0))
        self.decoder_level2 = w.pair(w.level(1))
        self.decoder_level3 = w.pair(w.level(2))
        self.skip_attn1 = w.unit(w.level(0))
        self.skip_attn2 = w.unit(w.level(1))
        self.up21 = _up(w, 0)
        self.up32 = _up(w, 1)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        third = self.decoder_level3(levels[2])
        second = self.decoder_level2(self.up32(third) + self.skip_attn2(levels[1]))
        first = self.decoder_level1(self.up21(second) + self.skip_attn1(levels[0]))
        return [first, second, third]


class FullResolution(Module):
    """Stage 3: groups at full resolution, each followed by a level of stage 2."""

    def __init__(self, w: Widths):
        super().__init__()
        width = w.features + w.extra
        for i in (1, 2, 3):
            last = nn.Conv2d(width, width, 3, padding=1, bias=False)
            group = nn.Sequential(*(w.unit(width) for _ in range(w.units)), last)
            self.add_module(f"orb{i}", nn.ModuleDict({"body": group}))
        self.up_enc1 = _up(w, 0)
        self.up_dec1 = _up(w, 0)
        self.up_enc2 = nn.Sequential(_up(w, 1), _up(w, 0))
        self.up_dec2 = nn.Sequential(_up(w, 1), _up(w, 0))
        for side in ("enc", "dec"):
            for i in (1, 2, 3):
                self.add_module(f"conv_{side}{i}", w.conv(w.features, width, 1))

    def forward(self, x: Tensor, encoded: list[Tensor], decoded: list[Tensor]) -> Tensor:
        for depth in range(3):
            x = getattr(self, f"orb{depth + 1}")["body"](x) + x
            for side, levels in (("enc", encoded), ("dec", decoded)):
                level = levels[depth]
                if depth:
                    level = getattr(self, f"up_{side}{depth}")(level)
                x = x + getattr(self, f"conv_{side}{depth + 1}")(level)
        return x


def _split(x: Tensor, axis: int) -> Tensor:
    """The two halves along an axis as a batch: first halves, then second halves."""
    return torch.cat(x.chunk(2, axis), 0)


def _join(x: Tensor, axis: int) -> Tensor:
    """What :func:`_split` took apart."""
    return torch.cat(x.chunk(2, 0), axis)


class MPRNet(Module):
    """(N, 3, H, W) → (N, bands, H, W)."""

    def __init__(self, w: Widths | None = None, channels: int = 3):
        super().__init__()
        w = w or Widths()
        self.conv_in = w.conv(channels, w.image, 3)
        for i in (1, 2, 3):
            first = w.conv(w.image, w.features, 3)
            self.add_module(f"shallow_feat{i}", nn.Sequential(first, w.unit(w.features)))
        self.stage1_encoder = Encoder(w, fused=False)
        self.stage1_decoder = Decoder(w)
        self.stage2_encoder = Encoder(w, fused=True)
        self.stage2_decoder = Decoder(w)
        self.stage3_orsnet = FullResolution(w)
        self.sam12 = SupervisedAttention(w.features, w.image, 1, w.bias)
        self.sam23 = SupervisedAttention(w.features, w.image, 1, w.bias)
        self.concat12 = w.conv(2 * w.features, w.features, 3)
        self.concat23 = w.conv(2 * w.features, w.features + w.extra, 3)
        self.tail = w.conv(w.features + w.extra, w.image, 3)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        whole = self.conv_in(pad_below_right(x, 8))
        halves = _split(whole, 2)

        # The encoder of stage 1 sees quarters; its decoder already sees halves.
        encoded = self.stage1_encoder(self.shallow_feat1(_split(halves, 3)))
        encoded = [_join(level, 3) for level in encoded]
        decoded = self.stage1_decoder(encoded)
        attended = self.sam12(decoded[0], halves)

        x = self.concat12(torch.cat((self.shallow_feat2(halves), attended), 1))
        encoded = [_join(level, 2) for level in self.stage2_encoder(x, (encoded, decoded))]
        decoded = self.stage2_decoder(encoded)
        attended = self.sam23(decoded[0], whole)

        x = self.concat23(torch.cat((self.shallow_feat3(whole), attended), 1))
        x = self.tail(self.stage3_orsnet(x, encoded, decoded)) + whole
        return x[:, :, :rows, :columns]


def _read(weights: Weights) -> Network:
    bands, channels = weights["conv_in.weight"].shape[:2]
    features = weights["concat12.weight"].shape[0]

    def build() -> MPRNet:
        return MPRNet(
            Widths(
                image=bands,
                features=features,
                step=max(weights["stage1_encoder.down12.down.1.weight"].shape[0] - features, 1),
                extra=max(weights["concat23.weight"].shape[0] - features, 1),
                # the last part of a group is a convolution
                units=len(numbered(weights, "stage3_orsnet.orb1.body.")) - 1,
                reduction=_reduction(weights),
                bias="conv_in.bias" in weights,
            ),
            channels,
        )

    return Network(
        build=build,
        channels=channels,
        bands=bands,
        context=None,  # channels are weighted by their means over quarters, halves, the whole
        tile_difference=TileDifference(0.092),
        bytes_per_pixel=4600,  # measured at 384×384 and 256×256
    )


def _reduction(weights: Weights) -> int:
    """By how much the gates reduce the channels.

    Several numbers may give the same whole widths; any of them is the same network.
    """
    gates = {
        tuple(value.shape[:2])
        for key, value in weights.items()
        if key.endswith(".CA.conv_du.0.weight") and value.ndim == 4
    }
    widest = max(width for _, width in gates)
    fits = (r for r in range(1, widest + 1) if all(width // r == hidden for hidden, width in gates))
    return next(fits, 1)


ARCHITECTURE = Architecture(
    id="mprnet",
    title="MPRNet, three stages from quarters to the whole image",
    keys=kernels(
        "conv_in.weight",
        "concat12.weight",
        "concat23.weight",
        "sam12.conv2.weight",
        "sam23.conv2.weight",
        "stage1_encoder.down12.down.1.weight",
        "stage3_orsnet.orb1.body.0.CA.conv_du.0.weight",
        "tail.weight",
    ),
    read=_read,
    published=(MPRNet,),
)
