"""ChromaGAN: chroma from features of objects, taught by a classifier and by a discriminator.

The paper's generator [1] has two parts that share VGG-16's first blocks [2] and four convolutions
that look at the whole picture. G1 joins these with a second look at the same features and makes a*
and b*; G2 tells the distribution over ImageNet's classes. Both take one step together. G2 only
teaches: it is not needed for coloring and is not exported. The discriminator judges patches [3] of
L*, a* and b*; it is a Wasserstein discriminator with gradient penalty [4].

Units are the published code's: a* and b* count in 255, L* in 100. The factors of the losses mean
something in these units only; the same goes for the penalty, which is taken on the sum of the
discriminator's map, and the verdict, which is its mean (docs/decisions/0005-chromagan.md).

References:
    [1] P. Vitoria, L. Raad, C. Ballester: ChromaGAN: Adversarial Picture Colorization with Semantic
        Class Distribution, WACV 2020 (arXiv 1907.09837), and its code.
    [2] K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image
        Recognition, ICLR 2015.
    [3] P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros: Image-to-Image Translation with Conditional
        Adversarial Networks, CVPR 2017.
    [4] I. Gulrajani et al.: Improved Training of Wasserstein GANs, NIPS 2017 (arXiv 1704.00028).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lightness_to_gray
from tinct.train.nets import backbones
from tinct.train.nets.blocks import PatchDiscriminator
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.chromagan import ChromaGan
from tinct.train.task import Batch, Player, Task

CLASSES = 1000
UNIT = 255.0  # a* and b* from -128 to 127 are 0 to 1, as in 8-bit Lab
LOWEST = -128.0
VGG_EARLY = 10  # layers up to the second pooling
LITE_EARLY, LITE_LATE = 3, 5  # blocks up to stride 8, and up to stride 16
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PLAIN = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Base(nn.Module):
    """Features of a gray picture at stride 8: the part that G1 and G2 share.

    Attributes:
        early: what sees edges and textures.
        late: what follows.
        joined: ``early`` ends at stride 8 and ``late`` at 16: both are joined at stride 8.
        channels: of the features.
    """

    def __init__(self, settings: ChromaGan) -> None:
        super().__init__()
        mean, deviation = PLAIN
        self.joined = False
        if settings.base == "vgg16":
            layers = backbones.vgg16_features(pretrained=settings.pretrained).requires_grad_(True)
            self.early, self.late = layers[:VGG_EARLY], layers[VGG_EARLY:]
            self.channels = 512
            mean, deviation = IMAGENET
        elif settings.base == "efficientnet_lite0":
            encoder: Any = backbones.encoder(settings.base, pretrained=settings.pretrained)
            blocks = list(encoder.blocks)
            self.early = nn.Sequential(encoder.conv_stem, encoder.bn1, *blocks[:LITE_EARLY])
            self.late = nn.Sequential(*blocks[LITE_EARLY:LITE_LATE])
            self.channels = sum(encoder.feature_info.channels()[2:4])
            self.joined = True
        else:
            one, two, three = settings.fresh
            self.early = conv_act_norm(3, one, stride=2)
            self.late = nn.Sequential(
                conv_act_norm(one, two, stride=2), conv_act_norm(two, three, stride=2)
            )
            self.channels = three
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None])

    def forward(self, lightness: Tensor) -> Tensor:
        """Map L* (N, 1, H, W), 0..100, to (N, channels, H / 8, W / 8)."""
        # Pretrained networks expect sRGB, each in its own normalization.
        gray = lightness_to_gray(lightness).expand(-1, 3, -1, -1)
        early = self.early((gray - self.mean) / self.deviation)
        late = self.late(early)
        if not self.joined:
            return cast(Tensor, late)
        return torch.cat([early, F.interpolate(late, scale_factor=2.0, mode="nearest")], dim=1)


def conv_act(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution and ReLU; stride 1 keeps the size."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
    return nn.Sequential(conv, nn.ReLU())


def conv_act_norm(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution, ReLU and batch normalization, in this order [1]."""
    return nn.Sequential(*conv_act(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs))


def connected(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    """Return fully connected layers with ReLU between them."""
    parts: list[nn.Module] = []
    for before, after in pairwise((inputs, *widths)):
        parts += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


class ChromaNet(nn.Module):
    """G1: ``net(lightness, hint) -> {"ab": (N, 2, H, W)}``, and the features that G2 shares.

    H and W are multiples of 8, of 16 on EfficientNet-Lite0. Hints are not looked at.
    """

    def __init__(self, settings: ChromaGan) -> None:
        super().__init__()
        self.base = Base(settings)
        shared, wide = self.base.channels, settings.overview
        self.grid = settings.grid
        self.overview = nn.Sequential(
            conv_act_norm(shared, wide, stride=2),
            conv_act_norm(wide, wide),
            conv_act_norm(wide, wide, stride=2),
            conv_act_norm(wide, wide),
        )
        self.seen = wide * settings.grid**2
        self.summary = connected(self.seen, settings.summary)
        one, two = settings.middle
        self.middle = nn.Sequential(conv_act_norm(shared, one), conv_act_norm(one, two))
        join, after, up4, up4_again, up2 = settings.color
        self.color = nn.Sequential(
            conv_act(two + settings.summary[-1], join, kernel=1),
            conv_act(join, after),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            conv_act(after, up4),
            conv_act(up4, up4_again),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            conv_act(up4_again, up2),
            nn.Conv2d(up2, 2, 3, padding=1),
            nn.Sigmoid(),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
        )

    def encode(self, shared: Tensor) -> Tensor:
        """Return what the whole picture is about: (N, overview * grid^2).

        Whatever the picture's size and shape, its map is resized to a square grid: at 224 px and a
        grid of 7 that changes nothing.
        """
        grid = (self.grid, self.grid)
        found = F.interpolate(self.overview(shared), size=grid, mode="bilinear")
        return found.flatten(1)

    def paint(self, shared: Tensor, whole: Tensor) -> Tensor:
        """Return a* and b*, (N, 2, H, W), in Lab units."""
        middle = self.middle(shared)
        summary = self.summary(whole)[:, :, None, None].expand(-1, -1, *middle.shape[2:])
        color: Tensor = self.color(torch.cat([middle, summary], dim=1))
        return color.float() * UNIT + LOWEST

    def forward(self, lightness: Tensor, hint: Tensor) -> dict[str, Tensor]:  # noqa: ARG002  (no hints)
        """Color a batch.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
            hint: float32 (N, 4, H, W), not looked at.
        """
        shared = self.base(lightness)
        return {"ab": self.paint(shared, self.encode(shared))}


class Teacher:
    """Tell what a gray picture shows: an ImageNet classifier that does not learn.

    It is no part of the task's module, so no checkpoint holds it, and it is loaded when it is first
    asked: who only exports needs no weights of it.

    Args:
        name: of a classifier, or ``stand-in`` for a small random one, always the same.
        size: side of the pictures it is shown, in pixels.
    """

    def __init__(self, name: str, *, size: int) -> None:
        self.name, self.size = name, size
        self._network: nn.Module | None = None

    def _load(self) -> nn.Module:
        if self.name != "stand-in":
            return backbones.classifier(self.name).requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(
                nn.Conv2d(3, 8, 8, stride=8),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(8, CLASSES),
            )
            for parameter in network.parameters():
                nn.init.normal_(parameter, std=0.5)
        return network.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, lightness: Tensor) -> Tensor:
        """Return shares of the classes, (N, 1000), for L* (N, 1, H, W)."""
        if self._network is None:
            self._network = self._load().to(memory_format=torch.channels_last).to(lightness.device)
        gray = lightness_to_gray(lightness) * 2 - 1
        if gray.shape[2:] != (self.size, self.size):
            gray = F.interpolate(
                gray, size=(self.size, self.size), mode="bilinear", antialias=True
            ).clamp(-1, 1)
        logits = self._network(gray.expand(-1, 3, -1, -1))
        return cast(Tensor, logits.float().softmax(dim=1))


def divergence(reference: Tensor, logits: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of predicted distributions from the reference's.

    Args:
        reference: float (N, K), distributions.
        logits: float (N, K), the predictions before softmax.

    Returns:
        The mean over the pictures of sum p log(p / q), in nats; 0 where they are equal.
    """
    return F.kl_div(logits.float().log_softmax(dim=1), reference, reduction="batchmean")


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, made: Tensor, *, along: Tensor
) -> Tensor:
    """Return how far the discriminator's slope is from 1 between real and made pictures [4].

    Args:
        discriminator: pictures to a value or a map of values each, whose sum is taken.
        real: float (N, C, H, W).
        made: float (N, C, H, W).
        along: float (N, 1, 1, 1), 0..1: where between them to look, 1 is ``real``.

    Returns:
        The mean over the pictures of (norm of the gradient - 1)^2; it can be differentiated.
    """
    between = (along * real + (1 - along) * made).detach().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(
            discriminator(between).float().sum(), between, create_graph=True
        )
    # The root has no finite slope at 0.
    norm = (slope.float().flatten(1).square().sum(dim=1) + 1e-12).sqrt()
    return (norm - 1).square().mean()


class ChromaGanTask(Task):
    """Two players, once in every step: ``net`` (G1 and G2 together), then ``discriminator``."""

    net: ChromaNet

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        s: ChromaGan = recipe.model
        self.settings = s
        self.net = ChromaNet(s)
        self.teacher = Teacher(s.teacher, size=s.teacher_size)
        self.classes: nn.Module | None = None
        self.discriminator: nn.Module | None = None
        if s.class_weight:
            self.classes = connected(self.net.seen, (*s.class_widths, CLASSES))
        if s.adversary_weight:
            self.discriminator = PatchDiscriminator(
                3, width=s.discriminator_width, norm="none", layers=s.discriminator_layers
            )

    def players(self) -> list[Player]:
        """Return ``net``, and ``discriminator`` where there is one.

        The groups of ``net`` are ``base.early``, ``base.late``, ``chroma`` (the rest of G1) and
        ``classes`` (the rest of G2), where there is one; that of ``discriminator`` has its name.
        """
        groups = {
            name: [p for part in self._parts(name) for p in part.parameters()]
            for name in ("base.early", "base.late", "chroma", "classes")
        }
        players = [Player(name="net", groups={name: held for name, held in groups.items() if held})]
        if self.discriminator is not None:
            discriminator = list(self.discriminator.parameters())
            players.append(Player(name="discriminator", groups={"discriminator": discriminator}))
        return players

    def _parts(self, name: str) -> list[nn.Module]:
        net = self.net
        if name == "chroma":
            return [net.overview, net.summary, net.middle, net.color]
        if name.startswith("base."):
            return [net.base.early if name == "base.early" else net.base.late]
        return [part for known, part in self.named_children() if known == name]

    def frozen(self, names: tuple[str, ...]) -> list[nn.Module]:
        """Return the modules behind the frozen groups' names."""
        return [part for name in names for part in self._parts(name)]

    def discriminate(self, batch: Batch, ab: Tensor) -> Tensor:
        """Return the discriminator's map for a batch's pictures in other colors (units of 255)."""
        shown = torch.cat([batch.input_lightness / 100, ab], dim=1)
        assert self.discriminator is not None
        return cast(Tensor, self.discriminator(shown))

    def loss(
        self,
        player: str,
        batch: Batch,
        stage: Stage | None = None,  # noqa: ARG002  (all are alike)
    ) -> dict[str, Tensor]:
        """Return the player's weighted terms.

        Those of ``net`` are ``color``, the mean squared error, and where the recipe has them
        ``classes``, the divergence from the teacher, and ``adversarial``, the discriminator's mean
        verdict with its sign changed. Those of ``discriminator`` are its mean verdicts, ``real``
        with its sign changed and ``made``, and ``penalty``.
        """
        s = self.settings
        if player == "discriminator":
            return self._discriminator_loss(batch)
        shared = self.net.base(batch.input_lightness)
        whole = self.net.encode(shared)
        made = self.net.paint(shared, whole) / UNIT
        terms = {"color": s.color_weight * F.mse_loss(made, batch.ab / UNIT)}
        if self.classes is not None:
            opinion = self.teacher(batch.input_lightness)
            terms["classes"] = s.class_weight * divergence(opinion, self.classes(whole))
        if s.adversary_weight:
            terms["adversarial"] = (
                -s.adversary_weight * self.discriminate(batch, made).float().mean()
            )
        return terms

    def _discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        real = batch.ab / UNIT
        with torch.no_grad():
            made = self.net(batch.input_lightness, batch.hint)["ab"] / UNIT
        along = torch.rand(len(real), 1, 1, 1, device=real.device)
        penalty = gradient_penalty(lambda ab: self.discriminate(batch, ab), real, made, along=along)
        return {
            "real": -self.discriminate(batch, real).float().mean(),
            "made": self.discriminate(batch, made).float().mean(),
            "penalty": self.settings.penalty_weight * penalty,
        }

    @torch.no_grad()
    def figures(self, batch: Batch) -> dict[str, Tensor]:
        """Return how the learning stands.

        ``squares`` is the squared error; ``divergence`` that from the teacher, and ``agreement``
        the share of pictures of which both think the same class the likeliest. A Wasserstein
        discriminator
        has no threshold: ``d_accuracy`` is the share of patches it finds more real in the truth
        than in the network's colors, ``g_accuracy`` the rest, ``d_loss`` its loss without penalty.
        """
        s, truth = self.settings, batch.ab / UNIT
        shared = self.net.base(batch.input_lightness)
        whole = self.net.encode(shared)
        made = self.net.paint(shared, whole) / UNIT
        told = {"squares": F.mse_loss(made, truth)}
        loss = s.color_weight * told["squares"]
        if self.classes is not None:
            opinion, logits = self.teacher(batch.input_lightness), self.classes(whole)
            told["divergence"] = divergence(opinion, logits)
            same = opinion.argmax(dim=1) == logits.argmax(dim=1)
            told["agreement"] = same.float().mean()
            loss = loss + s.class_weight * told["divergence"]
        if s.adversary_weight:
            real, fake = (
                self.discriminate(batch, truth).float(),
                self.discriminate(batch, made).float(),
            )
            told["d_loss"] = fake.mean() - real.mean()
            told["d_accuracy"] = (real > fake).float().mean()
            told["g_accuracy"] = 1 - told["d_accuracy"]
            loss = loss - s.adversary_weight * fake.mean()
        return {**told, "g_loss": loss}

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab: the picture's own lightness with the network's color."""
        return torch.cat(
            [batch.lightness, self.net(batch.input_lightness, batch.hint)["ab"]], dim=1
        )
