/** The configmap that `exclude add` writes, unless another is named. */
export const OWN_EXCLUSIONS = 'image-cleaner-excluded';
