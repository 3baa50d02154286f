import OxbowCore
import OxbowCrypto
import OxbowTesting

/// Labelled streams and their migrations, as the frames of two connections.
enum MigrationTranscripts {
    static let all: [Scenario] = [
        scenario(
            "labelled-stream", ["A labelled stream: opened in one flight, used, and ended by both sides"],
            [.does(.a, "opens hello"), .does(.b, "writes world"), .does(.a, "ends"), .does(.b, "ends")]),
        scenario(
            "migration-by-opener", ["A migration: who opened the stream asks for it, data before and after"],
            [.does(.a, "opens before"), .does(.b, "writes before"), .does(.a, "moves")] + after),
        scenario(
            "migration-by-acceptor", ["A migration: who accepted the stream asks for it, data before and after"],
            [.does(.a, "opens before"), .does(.b, "writes before"), .does(.b, "moves")] + after),
        scenario(
            "migration-half-closed", ["A migration of a stream whose initiator has ended its direction (SM-M7)"],
            [
                .does(.a, "opens before"), .does(.b, "writes before"), .does(.a, "ends"), .does(.a, "moves"),
                .does(.b, "writes +after"), .does(.b, "ends"),
            ]),
        scenario(
            "migration-of-2022",
            [
                "A migration in the dialect of the proof of concept of 2022 (SM-W2)", "",
                "B's identify has /libp2p/stream-migration/ alone, with a slash at its end; the Ack is bare.",
            ], identifies: ["/libp2p/stream-migration/"],
            [.does(.a, "opens before"), .does(.b, "writes before"), .does(.a, "moves")] + after),
        scenario(
            "denial",
            [
                "A migration is denied (SM-F1)", "",
                "B sees the second connection run through a relay, and the first is direct: that would be a downgrade.",
            ], isDenied: true,
            [.does(.a, "opens before"), .does(.b, "writes before"), .does(.a, "moves")] + after),
        scenario(
            "denial-of-2022",
            [
                "A migration is denied in the dialect of the proof of concept of 2022 (SM-F1, SM-W2)", "",
                "B sees the second connection run through a relay, and the first is direct: that would be a downgrade.",
            ], identifies: ["/libp2p/stream-migration/"], isDenied: true,
            [.does(.a, "opens before"), .does(.b, "writes before"), .does(.a, "moves")] + after),
        scenario(
            "glare-lower-opened",
            [
                "Glare: both ask at once, and the stream is of the peer with the lower id, A (SM-F4)", "",
                "A denies B's; B gives way and accepts A's.",
            ], [.does(.a, "opens before"), .does(.b, "writes before"), .both("moves", "moves")] + after),
        scenario(
            "glare-higher-opened",
            [
                "Glare: both ask at once, and the stream is of the peer with the higher id, A (SM-F4)", "",
                "B denies A's; A gives way and accepts B's.",
            ], isAHigher: true,
            [.does(.a, "opens before"), .does(.b, "writes before"), .both("moves", "moves")] + after),
        scenario(
            "migration-reset", ["A stream that has moved is reset by its opener (SM-F9)"],
            [.does(.a, "opens before"), .does(.b, "writes before"), .does(.a, "moves"), .does(.a, "resets")]),
    ]

    private static let after: [Scenario.Step] = [
        .does(.a, "writes +after"), .does(.b, "writes +after"), .does(.a, "ends"), .does(.b, "ends"),
    ]

    private static let notes = [
        "",
        "A dialled both connections, so its streams have odd numbers. Stream 1 and stream 2 of each were identify's, and",
        "are left out as pings are. The stream is one of /echo/1.0.0, whose application is the script here: it echoes nothing.",
    ]

    private static func scenario(
        _ name: String, _ about: [String], identifies: [ProtocolID] = ["/libp2p/stream-migration"],
        isDenied: Bool = false, isAHigher: Bool = false, _ script: [Scenario.Step]
    ) -> Scenario {
        Scenario(
            name: name, about: about + notes, format: .yamux,
            inputs: { _ in
                let (lower, higher) = (FixedKeys.all[0], FixedKeys.all[1])
                return identity(.a, isAHigher ? higher : lower) + identity(.b, isAHigher ? lower : higher)
            }, script: script, framesVary: true, isCheap: false,
            make: { side, inputs in
                var setting = HostParty.Setting()
                setting.identifies = side == .a ? identifies : ["/libp2p/stream-migration"]
                setting.isSecondRelayed = isDenied && side == .b
                return try HostParty(
                    side, identity: PrivateKey(protobuf: inputs.required("\(side.rawValue).identity")),
                    peer: PrivateKey(protobuf: inputs.required("\(side.other.rawValue).identity")),
                    labelStart: UInt64(inputs.required("\(side.rawValue).labels")[0]), setting: setting)
            })
    }

    private static func identity(_ side: Side, _ key: PrivateKey) -> [Transcript.Input] {
        [
            .init(
                name: "\(side.rawValue).identity",
                text: "\(side.rawValue)'s identity: a private key message (peer-ids) of type Ed25519",
                bytes: key.protobuf),
            .init(
                name: "\(side.rawValue).labels",
                text: "where \(side.rawValue)'s ids start: twice this, and one more from the higher peer id",
                bytes: [side == .a ? 10 : 100]),
        ]
    }
}
