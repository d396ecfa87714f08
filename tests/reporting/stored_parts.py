"""Files of a stored result changed by hand, and what is said of them."""

from __future__ import annotations

import json

import pytest
import yaml

from advkd.errors import AdvkdError
from advkd.reporting import report


def edited(file, change):
    content = (yaml.safe_load if file.suffix == ".yaml" else json.loads)(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def refused(*folders):
    with pytest.raises(AdvkdError) as caught:
        report(folders)
    return str(caught.value)
