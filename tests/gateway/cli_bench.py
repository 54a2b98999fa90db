"""A small site.yaml for the command line's tests: one device, one profile, one link."""

SITE = """\
site:
  id: here
  limits: {{charge: 5 kW, discharge: 5 kW, grid import: 17 kW, grid export: 5 kW}}
devices:
  inverter: {{profile: {profile}, link: "{link}", poll: {poll}, timeout: 300 ms}}
socket: control.sock
"""


def write(tmp_path, profile="sunspec", port=1, poll="1 s", link="tcp://127.0.0.1:{port}"):
    """site.yaml in `tmp_path`; its path."""
    (tmp_path / "site.yaml").write_text(SITE.format(profile=profile, link=link.format(port=port), poll=poll))
    return tmp_path / "site.yaml"
