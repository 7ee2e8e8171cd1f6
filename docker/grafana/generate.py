#!/usr/bin/env python3
"""Writes the dashboards that Grafana is provisioned with.

    python=$(scripts/venv grafana -r docker/grafana/requirements.txt)/bin/python
    "$python" docker/grafana/generate.py            # writes docker/grafana/dashboards/*.json
    "$python" docker/grafana/generate.py --check    # writes nothing; exit code 1 and the names, if any file differs
"""

import argparse
import json
import pathlib
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder

# No __pycache__ beside the sources.
sys.dont_write_bytecode = True

import pipeline
import prices

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"


def text_of(builder):
    """A dashboard as the text of its file: always the same for the same dashboard."""
    dashboard = json.loads(json.dumps(builder.build(), cls=JSONEncoder))
    # Grafana gives it a number of its own.
    dashboard["id"] = None
    # The library puts these into a menu, where nobody looks for them.
    for shown in dashboard["links"] + dashboard.get("annotations", {}).get("list", []):
        shown.pop("placement", None)
    taken = {}
    for number, panel in enumerate(dashboard["panels"], start=1):
        panel["id"] = number
        place = panel["gridPos"]
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            if cell[0] >= 24 or cell in taken:
                sys.exit(f"{dashboard['title']}: {panel['title']} lies over {taken.get(cell, 'the edge')}")
            taken[cell] = panel["title"]
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Writes the dashboards that Grafana is provisioned with.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a file differs")
    check = parser.parse_args().check

    wanted = {f"{name}.json": text_of(builder) for name, builder in {**prices.dashboards(), **pipeline.dashboards()}.items()}
    found = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if check:
        for name in differing:
            print(f"docker/grafana/dashboards/{name} is not what generate.py makes", file=sys.stderr)
        sys.exit(1 if differing else 0)
    FOLDER.mkdir(exist_ok=True)
    for name in differing:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name])
        else:
            (FOLDER / name).unlink()
        print(name)


if __name__ == "__main__":
    main()
