from keras_t2i.evaluation.metrics.reconstruction import mean_psnr
from keras_t2i.evaluation.metrics.reconstruction import principal_components_psnr
from keras_t2i.utils.images import psnr

__all__ = ["mean_psnr", "principal_components_psnr", "psnr"]
