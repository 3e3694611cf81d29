"""Other resolutions than the trained one, by resampling the table of positions."""

from __future__ import annotations

import pytest
import torch

from tests.inference.glm4v_9b.conftest import Reference, user


@pytest.fixture
def sized(one: Reference) -> Reference:
    yield one
    one.processor.image_processor.size = {"height": 112, "width": 112}


@pytest.mark.parametrize(("width", "height"), [(56, 56), (84, 140), (112, 112), (224, 224)])
def test_any_even_grid_can_be_asked_about(sized: Reference, width: int, height: int) -> None:
    sized.processor.image_processor.size = {"height": height, "width": width}
    inputs = sized.written([user("What?", sized.pictures["large"])])
    tokens = (width // 28) * (height // 28)
    assert inputs["pixel_values"].shape == (1, 3, height, width)
    assert int((inputs["input_ids"] == sized.processor.image_token_id).sum()) == tokens
    (features,) = sized.model.get_image_features(inputs["pixel_values"]).pooler_output
    assert features.shape == (tokens + 2, 64)
    assert features.isfinite().all()
    sized.generate(inputs)


def test_the_table_is_exact_at_its_own_size_and_smooth_beside_it(one: Reference) -> None:
    embedding = one.model.model.vision_tower.patch_embedding
    table = embedding.position_embedding.weight
    here = torch.device("cpu")
    assert torch.equal(embedding._positions((8, 8), here), table)
    assert embedding._positions((10, 6), here).shape == (61, 48)
    assert torch.equal(embedding._positions((4, 4), here)[0], table[0])
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    ramp = torch.stack((rows, columns), dim=-1).view(64, 2).repeat(1, 24)
    with torch.no_grad():
        kept = table.clone()
        table[1:] = ramp
        doubled = embedding._positions((16, 16), here)[1:].view(16, 16, 48)
        table.copy_(kept)
    # Sample k of 16 lies at (k + 0.5) / 2 - 0.5 of 8; bicubic keeps a slope but at the rim.
    inner = torch.arange(4, 12)
    expected = (inner + 0.5) / 2 - 0.5
    torch.testing.assert_close(doubled[inner, 8, 0], expected)
    torch.testing.assert_close(doubled[8, inner, 1], expected)


@pytest.mark.parametrize("side", [0, 14, 100, 1130])
def test_other_sizes_are_refused(sized: Reference, side: int) -> None:
    with pytest.raises(ValueError, match="multiples of 28"):
        sized.processor.image_processor.size = {"height": side, "width": 112}
