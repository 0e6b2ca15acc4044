"""The signals of pictures: what the step ``pictures`` measures in one decode of each."""

from __future__ import annotations

from functools import partial

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.signals.signal import SIGNALS, Signal
from tamis.analytics.steps.per_row import PICTURES_STEP

CONVENTION = "pictures-1"
"""Decoded to 8 bits of red, green and blue, turned as EXIF says, what is transparent as it looks on white; grey is
0.299 R + 0.587 G + 0.114 B, in 65536ths, rounded (ITU-R BT.601). Brightness and colours are those of every k-th pixel
of every k-th row, k the least that leaves at most 65,536: exact up to that size, sampled above. Size, sharpness,
blocking and borders read all pixels."""

FORMAT = "image_format"

_image = partial(Signal, convention=CONVENTION, group="Image", step=PICTURES_STEP, source="own definition")

IMAGE_SIGNALS = SIGNALS.register(
    _image("width", "Width", "Columns of the picture, after turning.", "pixels", dtype="int32", low=1),
    _image("height", "Height", "Rows of the picture, after turning.", "pixels", dtype="int32", low=1),
    _image("megapixels", "Megapixels", "Width times height.", "megapixels"),
    _image("aspect", "Aspect", "Width over height: above 1 is landscape.", "ratio"),
    _image("image_bytes", "File size", "Bytes of the encoded picture.", "bytes", dtype="int32", low=1),
    _image("bytes_per_pixel", "Bytes per pixel", "Bytes of the encoded picture per pixel.", "bytes"),
    _image("frames", "Frames", "Frames or pages of the file; the first is measured.", "frames",
           dtype="int32", low=1),
    _image("is_grey", "Grey", "No sampled pixel has channels more than 8 levels apart.", "yes or no",
           dtype="bool", low=None),
    _image("brightness", "Brightness", "Mean of grey.", "levels", high=255),
    _image("brightness_spread", "Brightness spread", "Standard deviation of grey, the RMS contrast.", "levels",
           source="Peli 1990, Contrast in complex images", high=127.5),
    _image("contrast", "Contrast", "Grey that 99% of pixels do not exceed, minus the grey that 1% do not exceed.",
           "levels", high=255),
    _image("saturation", "Saturation", "Mean of (max - min) / max over red, green and blue, 0 for black.", "share",
           source="Smith 1978, Color gamut transform pairs (HSV)", high=1),
    _image("colourfulness", "Colourfulness",
           "Spread of the opponents red-green and yellow-blue plus 0.3 times the distance of their mean from grey: "
           "about 15 is slightly, 45 averagely, 82 highly colourful.", "levels",
           source="Hasler and Suesstrunk 2003, Measuring colourfulness in natural images, M3"),
    _image("sharpness", "Sharpness",
           "Variance of the Laplacian (4 neighbours) of grey over the inner pixels: low is blurred or flat. NULL below "
           "3 x 3 pixels.", "levels squared",
           source="Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy"),
    _image("entropy", "Entropy", "Shannon entropy of the 256 levels of grey.", "bits", source="Shannon 1948", high=8),
    _image("blocking", "JPEG blocking",
           "Mean step of grey across the borders of the 8 x 8 blocks over the mean step elsewhere, one level added to "
           "both: above 1 the grid of JPEG shows. NULL below 16 x 16 pixels.", "ratio",
           source="Wang, Sheikh and Bovik 2002, No-reference perceptual quality assessment of JPEG compressed images, "
           "after its blockiness"),
    _image("border_share", "Border share",
           "Share of the area in plain rows and columns at the four edges; those of one edge stay within 8 levels of "
           "grey.", "share", high=1),
    _image("transparency", "Transparency", "Mean of how transparent pixels are.", "share", high=1),
    _image("flat_share", "Flat share",
           "Share of the most frequent colour at 16 levels per channel.", "share", high=1),
    _image("text_share", "Text-like share",
           "Share of 16 x 16 blocks, at most 256 on a regular grid, with 12 to 128 horizontal steps of at least 48 "
           "levels in which at least 80% of the pixels lie within 48 levels of the darkest or the brightest one: "
           "lettering and line drawings. 0 below 16 x 16 pixels.", "share", high=1,
           source="after Wu, Manmatha and Riseman 1997, Finding text in images"),
)  # fmt: skip
"""In the order in which the step writes them."""

COLUMNS.declare(
    PICTURES_STEP,
    ColumnInfo(
        name=FORMAT,
        type="category",
        title="Format",
        help="Format of the encoded picture, by its content.",
        role="signal",
    ),
)
