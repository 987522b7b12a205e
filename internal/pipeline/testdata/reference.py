"""Writes images of many kinds, and what Pillow, TensorFlow and Keras make of
them: cases.json names for each case the file, the preprocessing and the .npy
file with the expected tensor."""

import argparse
import io
import json
import pathlib

import numpy as np
import tensorflow as tf
from keras.src.applications.imagenet_utils import preprocess_input
from PIL import Image, ImageOps

arguments = argparse.ArgumentParser()
arguments.add_argument("--output", type=pathlib.Path, required=True)
out = arguments.parse_args().output
out.mkdir(parents=True)

random = np.random.default_rng(7)
cases = []


def smooth(height, width, channels=3):
    """Noise at several scales, as photographs have it."""
    total = np.zeros((height, width, channels))
    for cells in (3, 9, 40):
        noise = random.uniform(-1, 1, (cells, cells, channels)).astype(np.float32)
        total += tf.image.resize(noise, (height, width), "bicubic").numpy() / cells**0.5
    total = (total - total.min()) / (total.max() - total.min())
    return (total * 255).round().astype(np.uint8)


def picture(height, width, channels=3):
    pixels = smooth(height, width, channels)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def resized(pixels, height, width, kernel="bilinear", antialias=False):
    return tf.image.resize(pixels, (height, width), kernel, antialias=antialias).numpy().astype(np.float32)


def normalised(x, mode):
    if mode == "none":
        return x
    if mode == "unit":
        return x / np.float32(255)
    return preprocess_input(x.copy(), data_format="channels_last", mode=mode)


def case(name, encoded, steps, want):
    (out / name).write_bytes(encoded)
    index = len(cases)
    np.save(out / f"{index}.npy", want.astype(np.float32))
    cases.append({"file": name, "want": f"{index}.npy", "preprocessing": {"steps": steps}})


def steps(height, width, kernel="bilinear", antialias=False, mode="none", **decode):
    decode.setdefault("channels", 3)
    resize = {"height": height, "width": width, "kernel": kernel, "antialias": antialias}
    return [{"decode": decode}, {"resize": resize}, {"normalise": {"mode": mode}}]


def jpeg(encoded, channels=3, ratio=1):
    return tf.io.decode_jpeg(encoded, channels=channels, ratio=ratio, dct_method="INTEGER_FAST").numpy()


# JPEGs through every kernel and mode.
photo = encode(picture(97, 131), "JPEG", quality=88)
assert (jpeg(photo) == tf.io.decode_image(photo, channels=3).numpy()).all()
for kernel in ("bilinear", "nearest", "bicubic", "area"):
    for size in ((40, 50), (150, 200), (97, 131)):
        want = resized(jpeg(photo), *size, kernel)
        case("photo.jpg", photo, steps(*size, kernel), want)
for kernel in ("bilinear", "bicubic"):
    for size in ((40, 50), (150, 200)):
        want = resized(jpeg(photo), *size, kernel, antialias=True)
        case("photo.jpg", photo, steps(*size, kernel, True), want)
for mode in ("caffe", "tf", "torch", "unit", "none"):
    want = normalised(resized(jpeg(photo), 64, 64), mode)
    case("photo.jpg", photo, steps(64, 64, mode=mode), want)
for mode in ("tf", "unit"):
    want = normalised(resized(jpeg(photo, 1), 28, 28), mode)
    case("photo.jpg", photo, steps(28, 28, mode=mode, channels=1), want)

# Several resizes, and the shorter side kept.
two = steps(40, 60)
two[2:2] = [{"crop": {"height": 31, "width": 48}}, {"resize": {"height": 20, "width": 20, "kernel": "bicubic"}}]
cropped = resized(jpeg(photo), 40, 60)[4:35, 6:54]
case("photo.jpg", photo, two, resized(cropped, 20, 20, "bicubic"))
for name, (h, w) in {"wide.jpg": (61, 178), "tall.jpg": (178, 61), "square.jpg": (80, 80)}.items():
    encoded = encode(picture(h, w), "JPEG", quality=90)
    for antialias in (False, True):
        th, tw = 47, 52
        nh, nw = max(th, h * tw // w), max(tw, w * th // h)
        whole = resized(jpeg(encoded), nh, nw, antialias=antialias)
        top, left = (nh - 32) // 2, (nw - 41) // 2
        keep = steps(th, tw, antialias=antialias)
        keep[1]["resize"]["keep"] = "shorter"
        keep.insert(2, {"crop": {"height": 32, "width": 41}})
        case(name, encoded, keep, whole[top : top + 32, left : left + 41])

# The kernels that only ScaleAndTranslate has, as tf.image.resize names them.
for kernel in ("lanczos3", "lanczos5", "gaussian", "mitchellcubic"):
    for antialias in (False, True):
        for size in ((40, 50), (150, 200)):
            want = resized(jpeg(photo), *size, kernel, antialias)
            case("photo.jpg", photo, steps(*size, kernel, antialias), want)

# Grey, before and after a resize, in one channel and in three.
for channels in (1, 3):
    for first in (True, False):
        grey = steps(40, 60)
        grey.insert(1 if first else 2, {"grey": {"channels": channels}})
        x = jpeg(photo).astype(np.float32)
        x = x if first else resized(jpeg(photo), 40, 60)
        x = tf.image.rgb_to_grayscale(x).numpy()
        x = resized(x, 40, 60) if first else x
        case("photo.jpg", photo, grey, np.repeat(x, channels, 2))

# Letterboxes: the longer side kept, the rest padded. tf.image.resize_with_pad
# works out the margin from the height before it is rounded, and so puts some
# images a pixel off the middle; where nothing is rounded it says the same.
for name in ("wide.jpg", "tall.jpg", "square.jpg"):
    encoded = (out / name).read_bytes()
    for h, w in ((60, 60), (45, 71)):
        for antialias in (False, True):
            box = steps(h, w, antialias=antialias)
            box[1]["resize"]["keep"] = "longer"
            box.insert(2, {"pad": {"height": h, "width": w}})
            ih, iw = jpeg(encoded).shape[:2]
            nh, nw = min(h, ih * w // iw), min(w, iw * h // ih)
            top, left = (h - nh) // 2, (w - nw) // 2
            want = np.pad(resized(jpeg(encoded), nh, nw, antialias=antialias), ((top, h - nh - top), (left, w - nw - left), (0, 0)))
            if name == "square.jpg":
                assert (want == tf.image.resize_with_pad(jpeg(encoded), h, w, antialias=antialias).numpy()).all()
            case(name, encoded, box, want)
for kernel in ("bilinear", "nearest"):  # the second stays uint8
    padded = steps(40, 50, kernel)
    padded.insert(2, {"pad": {"height": 47, "width": 52, "value": 114}})
    want = np.pad(resized(jpeg(photo), 40, 50, kernel), ((3, 4), (1, 1), (0, 0)), constant_values=114)
    case("photo.jpg", photo, padded, want)

# Ten crops: the corners, the middle, and all of them mirrored.
for name in ("photo.jpg", "wide.jpg"):
    encoded = (out / name).read_bytes()
    ten = steps(47, 52)
    ten.insert(2, {"ten_crop": {"height": 32, "width": 41}})
    h, w = jpeg(encoded).shape[:2]
    nh, nw = 47, 52
    if name == "wide.jpg":
        ten[1]["resize"]["keep"] = "shorter"
        nh, nw = max(47, h * 52 // w), max(52, w * 47 // h)
    whole = resized(jpeg(encoded), nh, nw)
    b, r = nh - 32, nw - 41
    five = [whole[y : y + 32, x : x + 41] for y, x in ((0, 0), (0, r), (b, 0), (b, r), (b // 2, r // 2))]
    case(name, encoded, ten, np.stack(five + [x[:, ::-1] for x in five]))

# Ranges and statistics of one's own.
for low, high in ((0, 1), (-1, 1), (-2.5, 7)):
    numbers = steps(64, 64)
    numbers[-1]["normalise"] = {"mode": "range", "low": low, "high": high}
    scale = np.float32(np.float32(high) - np.float32(low)) / np.float32(255)
    case("photo.jpg", photo, numbers, resized(jpeg(photo), 64, 64) * scale + np.float32(low))
clip = {"mode": "standard", "mean": [0.48145466, 0.4578275, 0.40821073], "deviation": [0.26862954, 0.26130258, 0.27577711]}
numbers = steps(64, 64)
numbers[-1]["normalise"] = clip
x = resized(jpeg(photo), 64, 64) / np.float32(255)
case("photo.jpg", photo, numbers, (x - np.float32(clip["mean"])) / np.float32(clip["deviation"]))

# JPEGs decoded at a fraction.
large = encode(picture(403, 517), "JPEG", quality=90)
for (h, w), ratio in {(60, 60): 4, (51, 65): 8, (52, 60): 4, (101, 130): 4, (102, 100): 2, (201, 258): 2, (300, 20): 1}.items():
    case("large.jpg", large, steps(h, w, jpeg_scale=True), resized(jpeg(large, ratio=ratio), h, w))

# JPEGs of other kinds.
for name, encoded in {
    "progressive.jpg": encode(picture(97, 131), "JPEG", progressive=True),
    "grey.jpg": encode(picture(97, 131, 1), "JPEG"),
    "444.jpg": encode(picture(97, 131), "JPEG", subsampling=0),
    "cmyk.jpg": encode(picture(97, 131).convert("CMYK"), "JPEG"),
    "one.jpg": encode(picture(1, 1), "JPEG"),
}.items():
    case(name, encoded, steps(40, 40), resized(jpeg(encoded), 40, 40))

# The other formats: the pixels that Pillow sees, transparency dropped.
grey16 = (smooth(33, 41, 1)[:, :, 0].astype(np.uint16) << 8) + 77
palette = picture(33, 41).quantize(40)
for name, encoded, pixels in [
    ("rgb.png", encode(picture(33, 41), "PNG"), None),
    ("rgba.png", encode(picture(33, 41, 4), "PNG"), None),
    ("grey.png", encode(picture(33, 41, 1), "PNG"), None),
    ("greyalpha.png", encode(picture(33, 41, 4).convert("LA"), "PNG"), None),
    ("palette.png", encode(palette, "PNG"), None),
    ("bilevel.png", encode(picture(33, 41, 1).convert("1"), "PNG"), None),
    ("grey16.png", encode(Image.fromarray(grey16), "PNG"), np.repeat((grey16 >> 8)[:, :, None], 3, 2)),
    ("palette.gif", encode(palette, "GIF"), None),
    ("rgb.bmp", encode(picture(33, 41), "BMP"), None),
    ("palette.bmp", encode(palette, "BMP"), None),
    ("lossless.webp", encode(picture(33, 41), "WEBP", lossless=True), None),
    ("lossy.webp", encode(picture(33, 41), "WEBP", quality=80), None),
    ("lossyeven.webp", encode(picture(48, 64), "WEBP", quality=60), None),
    ("lossyalpha.webp", encode(picture(33, 41, 4), "WEBP", quality=80), None),
    ("onepixel.webp", encode(picture(1, 1), "WEBP", quality=80), None),
]:
    if pixels is None:
        image = Image.open(io.BytesIO(encoded))
        if "alpha" in name or "rgba" in name:
            image = image.convert("RGBA")
        pixels = np.array(image.convert("RGB") if image.mode != "RGBA" else image)[:, :, :3]
    h, w = pixels.shape[:2]
    case(name, encoded, steps(h, w, "nearest"), pixels.astype(np.float32))

# TensorFlow decodes two of them too, where it must say the same.
for name in ("rgb.png", "rgba.png", "grey.png", "palette.gif"):
    encoded = (out / name).read_bytes()
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False).numpy()
    case(name, encoded, steps(20, 30, mode="caffe"), normalised(resized(pixels, 20, 30), "caffe"))

# An animation whose frames are smaller than the screen: the first counts.
frames = [palette, picture(33, 41).quantize(20)]
animation = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=10)
first = np.array(Image.open(io.BytesIO(animation)).convert("RGB"))
case("animation.gif", animation, steps(33, 41, "nearest"), first)

# Every orientation, in each container that can say it.
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = {}
    for format, options in {"JPEG": {"quality": 90}, "PNG": {}, "WEBP": {"lossless": True}}.items():
        image = picture(37, 50)
        encoded = encode(image, format, exif=exif.tobytes(), **options)
        pixels = jpeg(encoded) if format == "JPEG" else np.array(image)
        turned = Image.fromarray(pixels)
        turned.getexif()[0x0112] = orientation
        turned = np.array(ImageOps.exif_transpose(turned))
        name = f"orientation{orientation}.{format.lower()}"
        case(name, encoded, steps(30, 20, orientation=True), resized(turned, 30, 20))
        if orientation == 6:
            case(name, encoded, steps(30, 20), resized(pixels, 30, 20))

(out / "cases.json").write_text(json.dumps(cases))
