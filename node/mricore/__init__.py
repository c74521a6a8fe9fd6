"""The MRI-CORE segmentation network in torch: for training and export only, never at run time.

MRI-CORE is a ViT-B/16 encoder with the promptable mask decoder of SAM (mazurowski-lab/mri_foundation). The same code
builds it at full size and at the reduced width of the demonstration model. This package alone imports torch; the node
itself speaks to Triton and needs none of it (`pip install mricore-node[models]`).
"""
