import OxbowCore
import OxbowProtocols

extension FuzzTarget {
    static let localDiscovery = [
        FuzzTarget(
            "mdns-message", "one datagram of multicast DNS", maximumLength: 1_024, seeds: { DNSScene.datagrams },
            dnsMessage),
        FuzzTarget(
            "mdns", "discovery: datagrams of others, changes of its addresses, and time", maximumLength: 1_024,
            seeds: {
                let queries = DNSScene.datagrams.flatMap { [UInt8(0), UInt8(clamping: $0.count)] + $0 }
                return [[1, 2, 3, 0, 2, 1] + queries, [3, 5, 2, 255, 3, 2] + queries.reversed()]
            }, discovery),
    ]

    private static func dnsMessage(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        guard let message = try? DNSMessage(decoding: bytes) else { return .refused }
        let records = message.answers + message.additional
        try require(message.questions.count <= DNSMessage.maximumQuestions, "questions are bounded")
        try require(records.count <= DNSMessage.maximumRecords, "records are bounded")
        // A pointer takes two bytes and stands for up to 255.
        let encoded = message.encoded()
        try require(encoded.count <= 12 + 300 * bytes.count, "\(bytes.count) bytes become \(encoded.count)")
        let isOurs = records.allSatisfy { if case .other = $0.content { false } else { true } }
        guard isOurs, encoded.count <= DNSMessage.maximumLength else { return .accepted }
        guard let again = try? DNSMessage(decoding: encoded) else { throw FuzzFailure("a message reads itself") }
        try requireEqual(again.encoded(), encoded, "a message is written in one way")
        try requireEqual(again.questions, message.questions, "questions are kept")
        try requireEqual(again.answers.map(\.name), message.answers.map(\.name), "names are kept")
        return .accepted
    }

    private static func discovery(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var discovery = LocalDiscovery(
            peer: FuzzKeys.first.peerID, name: String(repeating: "n", count: 32), interval: .seconds(300),
            lifetime: .seconds(120), answerDelay: .milliseconds(20 + input.int(below: 100)), at: .zero)
        var now = Instant.zero
        var found = 0
        while !input.isEmpty {
            let actions: [LocalDiscovery.Action]
            switch input.int(below: 5) {
            case 0:
                actions = discovery.received(input.part(), isLegacy: input.bool(), at: now)
            case 1:
                // A genuine answer of somebody else's, edited.
                let datagram = Mutations.mutated(input.choice(DNSScene.datagrams), by: &input)
                actions = discovery.received(datagram, isLegacy: false, at: now)
            case 2:
                discovery.setAddresses((0..<input.int(below: 6)).map { _ in FuzzAddresses.any(&input) }, at: now)
                actions = []
            case 3:
                if let wake = discovery.nextWake, input.bool() { now = max(now, wake) }
                now = now + .milliseconds(input.int(below: 30_000))
                actions = discovery.wake(at: now)
                if let wake = discovery.nextWake { try require(wake > now, "what was due is done") }
            default:
                guard input.int(below: 16) == 0 else { continue }
                actions = discovery.end()
                try require(discovery.nextWake == nil, "who has left waits for nothing")
            }
            try require(actions.count <= 40, "\(actions.count) actions follow from one event")
            for action in actions { found += try check(action) }
        }
        return found > 0 ? .accepted : .refused
    }

    private static func check(_ action: LocalDiscovery.Action) throws(FuzzFailure) -> Int {
        switch action {
        case .send(let bytes, _):
            try require(bytes.count <= 1_500, "a datagram fits on any link")
            try require((try? DNSMessage(decoding: bytes)) != nil, "what is sent can be read")
            return 0
        case .found(let peer, let addresses, _, _):
            try require(peer != FuzzKeys.first.peerID, "nobody finds itself")
            let isPlain = addresses.allSatisfy { $0.peerID == nil && !$0.isRelayed && $0.host?.scope != nil }
            try require(isPlain && (1...32).contains(addresses.count), "what is found is a few plain addresses")
            return 1
        }
    }
}

/// Datagrams as other peers send them.
private enum DNSScene {
    static let datagrams: [[UInt8]] = {
        let name = String(repeating: "x", count: 32)
        let instance = DNSName(["\(name)", "_p2p", "_udp", "local"])
        let service = LocalDiscovery.service
        let text = Array("dnsaddr=/ip4/10.0.0.7/tcp/4001/p2p/\(FuzzKeys.second.peerID)".utf8)
        let pointer = DNSRecord(name: service, lifetime: 120, content: .pointer(instance))
        let answer = DNSRecord(name: instance, lifetime: 120, content: .text([text]), isUnique: true)
        let goodbye = DNSRecord(name: instance, lifetime: 0, content: .text([text]), isUnique: true)
        let services = DNSName(["_services", "_dns-sd", "_udp", "local"])
        return [
            DNSMessage(isResponse: true, answers: [pointer], additional: [answer]),
            DNSMessage(isResponse: true, answers: [pointer], additional: [goodbye]),
            DNSMessage(isResponse: false, questions: [DNSQuestion(name: service, type: 12)], answers: [pointer]),
            DNSMessage(isResponse: false, questions: [DNSQuestion(name: services, type: 255, wantsUnicast: true)]),
            DNSMessage(isResponse: false, questions: [DNSQuestion(name: instance, type: 16)]),
        ].map { $0.encoded() }
    }()
}
