"""`timelapse cost`: dollars per camera and month, on Lambda and on EC2, and the break-even."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from timelapse_runtime.cli import EXIT_OK
from timelapse_runtime.cli.fleet_options import camera_of, config_of
from timelapse_runtime.fleet.cost import FleetCost, Month, storage_usd
from timelapse_runtime.fleet.extras import with_extras
from timelapse_runtime.fleet.measured import figures_for
from timelapse_runtime.fleet.prices import PRICES_DATE, REGION

_ARCHITECTURES = ("x86_64", "arm64")
_STORAGE_MONTHS = (1, 12, 36)


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """See the module. Raises ConfigError, CommandFailed."""
    value = cost(options, variables)
    print(json.dumps(value) if options.json else "\n".join(_lines(value)))
    return EXIT_OK


def cost(options: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, Any]:
    """All that the command says, as JSON has it. Dollars are of one camera and month."""
    config = config_of(options, variables, options.memory)
    camera = camera_of(options, config)
    figures = with_extras(figures_for(camera.size), config)
    model = FleetCost(config, figures, camera, options.memory)
    month, fleets = model.month, []
    for cameras in options.cameras:
        machines = model.on_machines(cameras)
        fleet: dict[str, Any] = {"cameras": cameras}
        for architecture in _ARCHITECTURES:
            found = model.on_lambda(cameras, architecture)
            fleet |= {"routing": found.routing, "reason": found.reason}
            fleet[f"lambda_{architecture}"] = {"usd": found.camera_usd, "items_usd": found.usd}
        fleet["ec2"] = {
            "usd": machines.camera_usd,
            "items_usd": machines.usd,
            "instance": machines.instance.name,
            "count": machines.count,
        }
        fleets.append(fleet)
    return {
        "prices": f"list prices of {REGION}, {PRICES_DATE}",
        "measured": figures.source,
        "camera": {
            "interval_seconds": camera.interval_seconds,
            "hours_per_day": camera.hours_per_day,
            "size": f"{camera.size[0]}x{camera.size[1]}",
            "photos_per_month": month.photos,
            "photos_gb_per_month": month.photos_gb,
            "video_gb_per_month": month.lasting_video_gb,
        },
        "memory_mb": options.memory,
        "usd_per_camera_month": fleets,
        "break_even_cameras": {name: model.break_even(name) for name in _ARCHITECTURES},
        "storage_usd_per_camera_in_month": {
            str(number): {"kept": kept, "expired": expired}
            for number, kept, expired in _storage(month, options.keep_days)
        },
        "keep_days": options.keep_days,
        "keep_segments": config.keep_segments,
    }


def _storage(month: Month, keep_days: int) -> Iterator[tuple[int, float, float]]:
    kept = storage_usd(month, _STORAGE_MONTHS, 0)
    expired = storage_usd(month, _STORAGE_MONTHS, keep_days)
    yield from ((number, kept[number], expired[number]) for number in _STORAGE_MONTHS)


def _lines(value: Mapping[str, Any]) -> Iterator[str]:
    camera = value["camera"]
    yield (
        f"A photo of {camera['size']} every {camera['interval_seconds']:g} s, {camera['hours_per_day']:g} hours a day: "
        f"{camera['photos_per_month']:,.0f} a month."
    )
    yield f"Dollars per camera and month, without storage; {value['prices']}; Lambda with {value['memory_mb']} MB."
    yield ""
    yield f"{'cameras':>8}  {'Lambda x86-64':>13}  {'Lambda arm64':>12}  {'EC2':>9}  how"
    for fleet in value["usd_per_camera_month"]:
        prices = [fleet[f"lambda_{name}"]["usd"] for name in _ARCHITECTURES] + [fleet["ec2"]["usd"]]
        machines = f"{fleet['ec2']['count']} x {fleet['ec2']['instance']}"
        texts = [f"{price:,.2f}" for price in prices]
        yield f"{fleet['cameras']:>8}  {texts[0]:>13}  {texts[1]:>12}  {texts[2]:>9}  {fleet['routing']}; {machines}"
    yield ""
    first = value["usd_per_camera_month"][0]
    for title, found in (("Lambda arm64", first["lambda_arm64"]), ("EC2", first["ec2"])):
        items = ", ".join(f"{name} {usd:.2f}" for name, usd in found["items_usd"].items() if round(usd, 2))
        yield f"{title}, {first['cameras']} camera{'s' * (first['cameras'] != 1)}: {items}"
    for name, cameras in value["break_even_cameras"].items():
        text = f"from {cameras} cameras on" if cameras else "never"
        yield f"EC2 is cheaper than Lambda on {name} {text}"
    yield ""
    yield from _storage_lines(value, camera)


def _copies(keep_segments: str) -> str:
    return "segments and video.mp4" if keep_segments == "always" else f"video.mp4; segments stay for a {keep_segments}"


def _storage_lines(value: Mapping[str, Any], camera: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Storage grows by {camera['photos_gb_per_month']:,.1f} GB of photos and "
        f"{camera['video_gb_per_month']:,.1f} GB of video a month ({_copies(value['keep_segments'])})."
    )
    yield f"In month N, photos kept for ever, or for {value['keep_days']} days:"
    for number, usd in value["storage_usd_per_camera_in_month"].items():
        yield f"{number:>8}  {usd['kept']:>13,.2f}  {usd['expired']:>12,.2f}"
