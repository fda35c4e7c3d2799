"""What a classifier sees in the color picture, taught to an encoder that sees it in gray.

ImageNet's encoders were trained on color pictures of 224 pixels. In gray, at half the size, they
recognize half as much, and an encoder that moves for the sake of color alone forgets the rest. Here
the encoder learns to say of the gray picture what the classifier it came from says of the color
picture, enlarged: no labels are needed. Matched are the features of each place [1] and the classes
of the whole picture [2], as ChromaGAN [3] matches the classes of VGG-16.

References:
    [1] A. Romero et al.: FitNets: Hints for Thin Deep Nets, ICLR 2015.
    [2] G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in a Neural Network, 2015.
    [3] P. Vitoria, L. Raad, C. Ballester: ChromaGAN, WACV 2020.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.train.nets.backbones import classifier, exact_depthwise, untrained_classifier

ENLARGED = 1.4  # the teacher sees the picture so much larger: 224 pixels, as in ImageNet, for 160
PLACES = 4.0  # factor of the places' term


class Teacher:
    """The classifier that an encoder came from, frozen.

    Not a module, so that it is neither trained nor saved; it is made when it is first asked.

    Args:
        name: of the encoder, as for :func:`tinct.train.nets.backbones.classifier`.
        pretrained: with ImageNet weights; otherwise it is random, but always the same.
    """

    def __init__(self, name: str, *, pretrained: bool) -> None:
        self.name, self.pretrained = name, pretrained
        self._network: Any = None

    @property
    def asked(self) -> bool:
        """Whether it was made already."""
        return self._network is not None

    def network(self, device: torch.device) -> Any:
        """Return the classifier, a timm EfficientNet."""
        if self._network is None:
            make = classifier if self.pretrained else untrained_classifier
            network: nn.Module = make(self.name).requires_grad_(False)
            self._network = network.to(memory_format=torch.channels_last).to(device)
        return self._network

    def places(self, network: Any, deepest: Tensor) -> Tensor:
        """Return the classifier's features (N, 1280, h, w) of an encoder's deepest map."""
        return cast(Tensor, network.bn2(network.conv_head(deepest)))

    def classes(self, network: Any, places: Tensor) -> Tensor:
        """Return logits (N, 1000)."""
        return cast(Tensor, network.classifier(places.mean(dim=(2, 3))))

    @torch.no_grad()
    def truth(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Return places and classes of a color picture.

        Args:
            rgb: float (N, 3, H, W), sRGB 0..1.
        """
        network = self.network(rgb.device)
        larger = F.interpolate(rgb, scale_factor=ENLARGED, mode="bilinear", align_corners=False)
        places = network.forward_features(
            larger.contiguous(memory_format=torch.channels_last) * 2 - 1
        )
        return places, self.classes(network, places)

    def __call__(self, deepest: Tensor, rgb: Tensor) -> Tensor:
        """Return how far an encoder is from what the teacher says, a scalar >= 0.

        Args:
            deepest: the encoder's map at stride 32 of the gray picture, (N, C, h, w).
            rgb: float (N, 3, H, W), sRGB 0..1 of the color picture.
        """
        network = self.network(rgb.device)
        places = self.places(network, deepest)
        return self._apart(places, self.classes(network, places), *self.truth(rgb))

    def believed(self, made: Tensor, truth: Tensor) -> Tensor:
        """Return how differently the teacher sees two color pictures, a scalar >= 0.

        Args:
            made: float (N, 3, H, W), sRGB 0..1; gradients flow to it.
            truth: the same.
        """
        network = self.network(made.device)
        exact_depthwise(network)  # for the backward pass
        found, goal = (
            network.forward_features(rgb.contiguous(memory_format=torch.channels_last) * 2 - 1)
            for rgb in (made, truth)
        )
        goal = goal.detach()
        return self._apart(
            found, self.classes(network, found), goal, self.classes(network, goal).detach()
        )

    def _apart(
        self, places: Tensor, classes: Tensor, goal_places: Tensor, goal_classes: Tensor
    ) -> Tensor:
        found = classes.float().log_softmax(dim=1)
        wanted = goal_classes.float().log_softmax(dim=1)
        kind = F.kl_div(found, wanted, log_target=True, reduction="batchmean")
        goal_places = F.adaptive_avg_pool2d(goal_places.float(), (places.shape[2], places.shape[3]))
        alike = F.cosine_similarity(places.float(), goal_places, dim=1, eps=1e-6)
        return kind + PLACES * (1 - alike).mean()

    @torch.no_grad()
    def agreement(self, deepest: Tensor, rgb: Tensor) -> Tensor:
        """Return in how many pictures, 0..1, the likeliest class is the teacher's."""
        network = self.network(rgb.device)
        found = self.classes(network, self.places(network, deepest))
        return (found.argmax(dim=1) == self.truth(rgb)[1].argmax(dim=1)).float().mean()
