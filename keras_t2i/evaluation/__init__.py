from keras_t2i.evaluation.reconstruction import mean_psnr
from keras_t2i.evaluation.reconstruction import principal_components_psnr
from keras_t2i.evaluation.reconstruction import psnr

__all__ = ["mean_psnr", "principal_components_psnr", "psnr"]
