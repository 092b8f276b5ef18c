"""KerasHub's own tests of a Backbone, on ours. Left out: its check of mixed precision, which wants every
layer to follow the policy, where heads, codes and what steers stay float32 (`layers/precision.py`)."""

import sys
import types

import pytest
from verbs import NETWORKS
from verbs import example

sys.modules.setdefault("grain", types.ModuleType("grain"))  # for its tests of tokenizers alone
case = pytest.importorskip("keras_hub.src.tests.test_case")


@pytest.mark.parametrize("name", ["CNNTextEncoder", "ConceptDecoder", "ImageTower", "Prior"])
def test_backbone(name):
    class Case(case.TestCase):
        def runTest(self):  # noqa: N802 (unittest's)
            network = NETWORKS[name]()
            inits = {
                key: v for key, v in network.get_config().items() if key not in ("name", "trainable", "dtype")
            }
            shape = (2, *network.output_shape[1:])
            self.run_backbone_test(
                type(network), inits, example(network), shape, run_mixed_precision_check=False
            )

    test = Case()
    test.setUp()
    test.runTest()
