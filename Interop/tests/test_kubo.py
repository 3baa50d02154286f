"""What a Kubo node is told to be."""

import unittest

from peers import nat
from peers.kubo import KuboSettings, configure
from peers.kubo_nat import _relays


def configured(settings: KuboSettings) -> dict[str, object]:
    configuration: dict[str, object] = {"Identity": {"PeerID": "x"}, "Bootstrap": ["somebody"]}
    configure(configuration, settings)
    return configuration


class SettingsTests(unittest.TestCase):
    def transports(self, **settings: object) -> dict[str, dict[str, object]]:
        swarm = configured(KuboSettings(listen=[], **settings))["Swarm"]
        assert isinstance(swarm, dict)
        return dict(swarm["Transports"])

    def test_what_comes_first_has_the_lowest_number_and_the_rest_is_off(self) -> None:
        found = self.transports(security=("tls", "noise"), muxers=("mplex", "yamux"))
        self.assertEqual(found["Security"], {"Noise": 200, "TLS": 100})
        self.assertEqual(found["Multiplexers"], {"Yamux": 200, "Mplex": 100})
        self.assertEqual(self.transports(security=("noise",))["Security"], {"Noise": 100, "TLS": False})

    def test_it_knows_nobody_and_serves_nothing_over_http(self) -> None:
        found = configured(KuboSettings(listen=["/ip4/127.0.0.1/tcp/0"]))
        self.assertEqual(found["Bootstrap"], [])
        self.assertEqual(found["Addresses"], {"Swarm": ["/ip4/127.0.0.1/tcp/0"], "API": [], "Gateway": []})
        self.assertNotIn("Internal", found)

    def test_a_relay_is_public_and_who_uses_one_is_private(self) -> None:
        self.assertEqual(configured(KuboSettings([], is_relay=True))["Internal"], {"Libp2pForceReachability": "public"})
        there = configured(KuboSettings([], relays=["/ip4/11.0.0.1/tcp/1/p2p/x"]))
        self.assertEqual(there["Internal"], {"Libp2pForceReachability": "private"})

    def test_who_punches_uses_the_relay_of_its_target(self) -> None:
        relay = "/ip4/11.0.0.1/tcp/1/p2p/x"
        target = f"{relay}/p2p-circuit/p2p/y"
        cases = (
            (["receive", "--relay", relay], [relay]),
            (["upgrade", "--wait", "20", target], [relay]),
            (["upgrade", target], []),
        )
        for arguments, wanted in cases:
            options = nat.parse("kubo_nat", [*arguments, "--listen", "/ip4/11.0.0.2/tcp/1"], limits_circuits=False)
            self.assertEqual(_relays(options), wanted)
