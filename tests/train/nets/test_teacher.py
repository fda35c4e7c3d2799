"""The teacher's verdict agrees with timm's own classifier and with PyTorch's divergence."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tinct.errors import TrainingError
from tinct.train.nets.backbones import encoder, untrained_classifier
from tinct.train.nets.teacher import ENLARGED, PLACES, Teacher

NAME = "efficientnet_lite0"


def some(size: int) -> torch.Tensor:
    small = torch.rand(3, 3, size // 8, size // 8, generator=torch.Generator().manual_seed(1))
    return F.interpolate(small, size=(size, size), mode="bilinear")


def test_it_is_the_classifier_and_sees_the_picture_larger() -> None:
    rgb = some(64)
    teacher = Teacher(NAME, pretrained=False)
    assert not teacher.asked
    places, classes = teacher.truth(rgb)
    assert teacher.asked
    larger = F.interpolate(rgb, scale_factor=ENLARGED, mode="bilinear")
    assert places.shape[-2:] == (3, 3)
    with torch.no_grad():
        assert torch.allclose(classes, untrained_classifier(NAME)(larger * 2 - 1), atol=1e-5)


def test_the_distance_is_divergence_and_cosine() -> None:
    rgb = some(64)
    teacher = Teacher(NAME, pretrained=False)
    deepest = torch.randn(3, 320, 2, 2, generator=torch.Generator().manual_seed(2))
    network = untrained_classifier(NAME)
    places, classes = teacher.truth(rgb)
    with torch.no_grad():
        mine = network.bn2(network.conv_head(deepest))
        pooled = F.adaptive_avg_pool2d(places, 2)
        logits = network.classifier(network.global_pool(mine))
    wanted, found = classes.softmax(dim=1), logits.softmax(dim=1)
    divergence = torch.distributions.kl_divergence(
        torch.distributions.Categorical(wanted), torch.distributions.Categorical(found)
    ).mean()
    unit = [v / v.norm(dim=1, keepdim=True).clamp(min=1e-6) for v in (mine, pooled)]
    cosine = (unit[0] * unit[1]).sum(dim=1).mean()
    expected = float(divergence + PLACES * (1 - cosine))
    assert float(teacher(deepest, rgb)) == pytest.approx(expected, rel=1e-3)


def test_who_sees_as_the_teacher_does_has_nothing_to_learn() -> None:
    rgb = some(64)
    teacher = Teacher(NAME, pretrained=False)
    student = encoder(NAME, pretrained=False).eval()
    network = teacher.network(rgb.device)
    state = {k: v for k, v in network.state_dict().items() if k in student.state_dict()}
    student.load_state_dict(state, strict=True)
    larger = F.interpolate(rgb, scale_factor=ENLARGED, mode="bilinear")
    with torch.no_grad():
        deepest = student(larger * 2 - 1)[-1]
    assert float(teacher(deepest, rgb)) == pytest.approx(0, abs=1e-4)
    assert float(teacher.agreement(deepest, rgb)) == 1


def test_it_moves_the_student_alone() -> None:
    rgb = some(64)
    teacher = Teacher(NAME, pretrained=False)
    deepest = torch.randn(3, 320, 2, 2, requires_grad=True)
    teacher(deepest, rgb).backward()
    assert deepest.grad is not None
    assert deepest.grad.abs().sum() > 0
    assert all(p.grad is None for p in teacher.network(rgb.device).parameters())


def test_the_truth_is_believed_and_gradients_lead_to_it() -> None:
    truth = some(64)
    teacher = Teacher(NAME, pretrained=False)
    assert float(teacher.believed(truth, truth)) == pytest.approx(0, abs=1e-5)
    made = truth.mean(dim=1, keepdim=True).repeat(1, 3, 1, 1).requires_grad_()
    optimizer = torch.optim.Adam([made], lr=0.01)
    first = float(teacher.believed(made, truth).detach())
    for _ in range(20):
        optimizer.zero_grad()
        teacher.believed(made, truth).backward()
        optimizer.step()
    assert float(teacher.believed(made, truth).detach()) < 0.5 * first


def test_unknown_names_are_refused() -> None:
    with pytest.raises(TrainingError, match="No encoder is called 'lenet'"):
        Teacher("lenet", pretrained=False).truth(some(64))
