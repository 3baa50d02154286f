import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire

extension FuzzTarget {
    static let identify = [
        FuzzTarget(
            "identify", "one identification until its end, and what is made of it", maximumLength: 1_500,
            seeds: { [false, true].map { [0] + IdentifyScene.whole(isSplit: $0) } }, identification),
        FuzzTarget(
            "identify-push", "an identification and pushes behind it", maximumLength: 1_500,
            seeds: { [[40] + IdentifyScene.parts.flatMap { $0 }, [0, 0, 10, 8, 1]] }, identifyPush),
    ]

    /// The first byte is how many messages are read at most; 0: the usual ten.
    private static func identification(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let limit = input.int(below: 4)
        let transcript = try feedInPieces(input.rest(), outputLimit: { _ in 0 }) {
            var reader = limit == 0 ? IdentifyReader() : IdentifyReader(maximumMessages: limit)
            return { input, transcript in
                do throws(IdentifyError) {
                    try reader.receive(&input)
                    var copy = reader
                    transcript.understood = try? copy.receiveEnd([]).encoded()
                } catch { transcript.fail(error) }
                return false
            }
        }
        return transcript.hasFailed || transcript.understood == nil ? .refused : .accepted
    }

    private static func identifyPush(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let key = FuzzKeys.first.publicKey
        var known: IdentifyInfo?
        while !input.isEmpty {
            // Edits of a genuine identification get farther than bytes from scratch.
            let isEdited = input.bool()
            let bytes = isEdited ? Mutations.mutated(IdentifyScene.whole(isSplit: false), by: &input) : input.rest()
            var reader = IdentifyReader()
            var rest = bytes[...]
            guard (try? reader.receive(&rest)) != nil, let message = try? reader.receiveEnd(rest[...]) else { continue }
            try checkBounds(of: message)
            guard let info = try? IdentifyInfo(message, authenticatedWith: key) else {
                try require(message.publicKey != nil, "without a key in it, a message is of the connection's key")
                continue
            }
            try check(info, of: message)
            guard var merged = known else {
                known = info
                continue
            }
            let before = merged.certified?.sequence ?? 0
            merged.apply(push: info)
            try require(merged.certified?.sequence ?? 0 >= before, "a certified record is replaced by a later one only")
            try requireEqual(merged.key, key, "a push changes no key")
            known = merged
        }
        return known == nil ? .refused : .accepted
    }

    private static func checkBounds(of message: IdentifyMessage) throws(FuzzFailure) {
        try require(message.listenAddresses.count <= IdentifyMessage.maximumAddresses, "addresses are bounded")
        try require(message.protocols.count <= IdentifyMessage.maximumProtocols, "protocols are bounded")
        guard let encoded = try? IdentifyEncoder.encode(message) else { return }
        var reader = IdentifyReader()
        var rest = encoded[...]
        _ = try? reader.receive(&rest)
        try requireEqual(try? reader.receiveEnd(rest), message, "an identification is read as it was written")
    }

    private static func check(_ info: IdentifyInfo, of message: IdentifyMessage) throws(FuzzFailure) {
        try require(
            info.listenAddresses.count + info.droppedAddresses <= message.listenAddresses.count + 1
                && info.protocols.count + info.droppedProtocols <= message.protocols.count, "nothing is made up")
        let peers = info.listenAddresses.compactMap(\.peerID) + (info.certified?.addresses.compactMap(\.peerID) ?? [])
        try require(peers.allSatisfy { $0 == info.peer }, "no address leads to another peer")
        for version in [info.protocolVersion, info.agentVersion] {
            try require(version?.utf8.count ?? 0 <= Identify.maximumVersionLength, "a version text is clipped")
        }
        try require(
            info.certified == nil || (message.signedPeerRecord != nil && info.recordError == nil),
            "what is certified was signed")
        try require(Set(info.protocols).count == info.protocols.count, "no protocol stands there twice")
        _ = info.migrationDialect
    }
}

/// An identification with all that can be in one.
enum IdentifyScene {
    private static let message: IdentifyMessage = {
        var message = IdentifyMessage()
        message.publicKey = FuzzKeys.first.publicKey.protobuf
        message.listenAddresses = FuzzAddresses.all.prefix(4).map(\.binary)
        message.protocols = ["/ipfs/id/1.0.0", "/libp2p/stream-migration", "/libp2p/stream-migration/"]
        message.observedAddress = FuzzAddresses.all[0].binary
        message.protocolVersion = "ipfs/0.1.0"
        message.agentVersion = "fuzz"
        let record = PeerRecord(
            peerID: FuzzKeys.first.peerID, sequence: 3, addresses: [FuzzAddresses.all[1].binary])
        message.signedPeerRecord = try? record.sealed(with: FuzzKeys.first).encoded()
        return message
    }()
    private static let unsplit = message.encodedDelimited()

    static func whole(isSplit: Bool) -> [UInt8] {
        isSplit ? parts.flatMap { $0 } : unsplit
    }

    /// The same in two messages.
    static let parts: [[UInt8]] = {
        var (first, second) = (message, IdentifyMessage())
        (first.signedPeerRecord, first.listenAddresses) = (nil, [])
        (second.signedPeerRecord, second.listenAddresses) = (message.signedPeerRecord, message.listenAddresses)
        return [first.encodedDelimited(), second.encodedDelimited()]
    }()
}
