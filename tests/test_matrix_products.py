"""Products by oneDNN equal those of float64, in every layout of memory."""

import pytest
import torch
from torch import nn

from charrnn.matrix_products import MIN_ROWS, Linear, product, product_over_rows, repeated_product, uses_onednn

LAYOUTS = {
    "contiguous": lambda n, k: torch.randn(n, k),
    "transposed": lambda n, k: torch.randn(k, n).t(),
    "part of wider rows": lambda n, k: torch.randn(n, 2 * k)[:, :k],
    "part of wider columns": lambda n, k: torch.randn(k, 2 * n)[:, :n].t(),
}
ROWS = (1, MIN_ROWS, 40)


def assert_close(found, exact):
    assert found.shape == exact.shape
    assert (found.double() - exact).norm() <= 1e-6 * exact.norm()


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("of_x", LAYOUTS)
@pytest.mark.parametrize("of_weight", LAYOUTS)
def test_product_matches_float64_in_any_layout(rows, of_x, of_weight):
    x, weight, bias = LAYOUTS[of_x](rows, 24), LAYOUTS[of_weight](33, 24), torch.randn(33)
    exact = x.double() @ weight.double().t()
    assert_close(product(x, weight), exact)
    assert_close(product(x, weight, bias), exact + bias.double())
    assert_close(repeated_product(weight, rows)(x), exact)
    assert_close(product_over_rows(x.t(), weight.t()), exact)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_layer_matches_torch_nn(rows, bias):
    layer, reference = Linear(24, 33, bias), nn.Linear(24, 33, bias).double()
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(2, rows, 24).transpose(0, 1).requires_grad_()
    outputs = layer(x), reference(x.double())
    d_y = torch.randn(rows, 2, 33)
    found, exact = (
        torch.autograd.grad(y, [x, *module.parameters()], d_y.to(y.dtype))
        for y, module in zip(outputs, (layer, reference), strict=True)
    )
    for a, b in zip((outputs[0], *found), (outputs[1], *exact), strict=True):
        assert_close(a, b.double())


def test_other_types_and_few_rows_use_torch():
    x = torch.randn(MIN_ROWS, 4)
    assert uses_onednn(x, MIN_ROWS) is torch.backends.mkldnn.is_available()
    assert not uses_onednn(x.double(), MIN_ROWS) and not uses_onednn(x, MIN_ROWS - 1)
