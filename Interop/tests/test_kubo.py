"""What a Kubo node is told to be."""

import argparse
import unittest

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
        cases = ((relay, None, 0.0, [relay]), (None, target, 20.0, [relay]), (None, target, 0.0, []))
        for given, own, wait, wanted in cases:
            self.assertEqual(_relays(argparse.Namespace(relay=given, target=own, wait=wait)), wanted)
