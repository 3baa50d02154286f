public import OxbowCore

/// Finds peers on the local network and is found there (libp2p/specs, discovery/mdns; RFC 6762): a machine.
///
/// Its owner gives it what is random: the name and the delay of answers. What comes from the network is anybody's word:
/// it is bounded in rate and size, and who is really at an address shows when it is dialled.
public struct LocalDiscovery: Sendable {
    /// The name of the service that all peers are.
    public static let service = DNSName(["_p2p", "_udp", "local"])
    /// The question for all services (RFC 6763, section 9).
    static let services = DNSName(["_services", "_dns-sd", "_udp", "local"])
    /// How long a peer's name is: it must be random, and says nothing about the peer.
    public static let nameLength = 32...63
    /// What one datagram may tell of.
    static let (peersPerMessage, addressesPerPeer) = (8, 32)
    /// Peers that are remembered as told of.
    static let maximumPeers = 512
    /// So that an answer fits into one datagram on any link.
    static let maximumAnswer = 1_400

    /// Where a message goes.
    public enum Destination: Hashable, Sendable {
        case everybody
        /// Back to who asked.
        case asker
    }

    /// What the driver has to do.
    public enum Action: Hashable, Sendable {
        case send([UInt8], to: Destination)
        /// A peer says where it is, for so long; zero: that it leaves.
        case found(PeerID, [Multiaddr], lifetime: Duration, isNews: Bool)
    }

    private let peer: PeerID
    private let name: DNSName
    private let interval: Duration
    private let lifetime: UInt32
    private let answerDelay: Duration
    private var addresses: [Multiaddr] = []
    private var nextQuery: Instant
    private var queryWait: Duration = .seconds(1)
    private var pendingAnswer: Instant?
    private var pendingMeta: Instant?
    private var lastAnswer: Instant?
    private var intake = TokenBucket(interval: .milliseconds(20), burst: 100)
    private var replies = TokenBucket(interval: .milliseconds(200), burst: 10)
    private var told: [PeerID: (addresses: Set<Multiaddr>, until: Instant)] = [:]
    private var isOver = false

    /// - Parameters:
    ///   - peer: this host.
    ///   - name: random letters and digits, as long as ``nameLength`` says.
    ///   - interval: the longest time between two questions.
    ///   - lifetime: how long others may keep the answer.
    ///   - answerDelay: random, 20 to 120 ms, so that not all answer at once (RFC 6762, section 6).
    public init(
        peer: PeerID, name: String, interval: Duration, lifetime: Duration, answerDelay: Duration, at now: Instant
    ) {
        precondition(Self.nameLength.contains(name.utf8.count), "a name has 32 to 63 characters")
        self.peer = peer
        self.name = Self.service.prefixed(name)
        self.interval = max(interval, .seconds(1))
        self.lifetime = UInt32(clamping: max(1, lifetime.saturatingNanoseconds / 1_000_000_000))
        self.answerDelay = answerDelay
        nextQuery = now + answerDelay
    }

    /// When ``wake(at:)`` is due; nil when there is nothing to wait for.
    public var nextWake: Instant? {
        isOver ? nil : [nextQuery, pendingAnswer, pendingMeta].compactMap { $0 }.min()
    }

    // MARK: Events

    /// Where the host can be reached now. Others learn of a change at once.
    public mutating func setAddresses(_ all: [Multiaddr], at now: Instant) {
        let usable = all.compactMap(\.withoutPeerID).filter { $0.host?.scope != nil && Self.isUsable($0) }
        guard usable != addresses else { return }
        addresses = usable
        if !addresses.isEmpty { scheduleAnswer(at: now) }
    }

    public mutating func wake(at now: Instant) -> [Action] {
        guard !isOver else { return [] }
        var actions: [Action] = []
        if let due = pendingAnswer, due <= now {
            pendingAnswer = nil
            if let answer = answer() {
                lastAnswer = now
                actions.append(.send(answer.encoded(), to: .everybody))
            }
        }
        if let due = pendingMeta, due <= now {
            pendingMeta = nil
            lastAnswer = now
            actions.append(.send(metaAnswer.encoded(), to: .everybody))
        }
        if nextQuery <= now {
            let question = DNSQuestion(name: Self.service, type: DNSMessage.RecordType.pointer)
            actions.append(.send(DNSMessage(isResponse: false, questions: [question]).encoded(), to: .everybody))
            nextQuery = now + queryWait
            queryWait = min(queryWait * 2, interval)
        }
        return actions
    }

    /// A datagram has come.
    ///
    /// - Parameter isLegacy: whether the sender's port isn't 5353: it hears no multicast and wants an answer of its own
    ///   (RFC 6762, section 6.7).
    public mutating func received(_ bytes: [UInt8], isLegacy: Bool, at now: Instant) -> [Action] {
        guard !isOver, intake.take(at: now), let message = try? DNSMessage(decoding: bytes) else { return [] }
        guard message.isResponse else { return asked(message, isLegacy: isLegacy, at: now) }
        return isLegacy ? [] : told(message, at: now)
    }

    /// This host leaves: says so, when it has told of itself.
    public mutating func end() -> [Action] {
        guard !isOver else { return [] }
        isOver = true
        guard lastAnswer != nil, let goodbye = answer(lifetime: 0) else { return [] }
        return [.send(goodbye.encoded(), to: .everybody)]
    }

    // MARK: Answering

    private mutating func asked(_ message: DNSMessage, isLegacy: Bool, at now: Instant) -> [Action] {
        var actions: [Action] = []
        for question in message.questions {
            let wantsPointer = [DNSMessage.RecordType.pointer, DNSMessage.RecordType.any].contains(question.type)
            let wantsText = [DNSMessage.RecordType.text, DNSMessage.RecordType.any].contains(question.type)
            let reply: DNSMessage?
            if question.name == Self.service, wantsPointer, !isKnown(in: message) {
                if !isLegacy { scheduleAnswer(at: now) }
                reply = answer()
            } else if question.name == name, wantsText {
                if !isLegacy { scheduleAnswer(at: now) }
                reply = answer()
            } else if question.name == Self.services, wantsPointer {
                if !isLegacy { pendingMeta = pendingMeta ?? earliestAnswer(at: now) }
                reply = metaAnswer
            } else {
                continue
            }
            guard isLegacy, var reply, replies.take(at: now) else { continue }
            (reply.id, reply.questions) = (message.id, [question])
            actions.append(.send(reply.encoded(), to: .asker))
        }
        return actions
    }

    /// Whether the asker has the answer already (RFC 6762, section 7.1).
    private func isKnown(in message: DNSMessage) -> Bool {
        message.answers.contains { $0.content == .pointer(name) && $0.lifetime >= lifetime / 2 }
    }

    private mutating func scheduleAnswer(at now: Instant) {
        pendingAnswer = pendingAnswer ?? earliestAnswer(at: now)
    }

    /// At most one answer in a second, however many ask (RFC 6762, section 6).
    private func earliestAnswer(at now: Instant) -> Instant {
        max(now + answerDelay, lastAnswer.map { $0 + .seconds(1) } ?? now)
    }

    private func answer(lifetime: UInt32? = nil) -> DNSMessage? {
        let lifetime = lifetime ?? self.lifetime
        var strings: [[UInt8]] = []
        var length = 12 + Self.service.length * 2 + name.length * 2 + 20
        for address in addresses {
            let string = Array("dnsaddr=\(address)/p2p/\(peer)".utf8)
            // A longer one can't be told (libp2p/specs, discovery/mdns).
            guard string.count <= 255, length + string.count + 1 <= Self.maximumAnswer else { continue }
            strings.append(string)
            length += string.count + 1
        }
        guard !strings.isEmpty else { return nil }
        return DNSMessage(
            isResponse: true,
            answers: [DNSRecord(name: Self.service, lifetime: lifetime, content: .pointer(name))],
            additional: [DNSRecord(name: name, lifetime: lifetime, content: .text(strings), isUnique: true)])
    }

    private var metaAnswer: DNSMessage {
        let record = DNSRecord(name: Self.services, lifetime: lifetime, content: .pointer(Self.service))
        return DNSMessage(isResponse: true, answers: [record])
    }

    // MARK: Finding

    private mutating func told(_ message: DNSMessage, at now: Instant) -> [Action] {
        var found: [(peer: PeerID, addresses: [Multiaddr], lifetime: Duration)] = []
        for record in message.answers + message.additional {
            guard case .text(let strings) = record.content, record.name.label(under: Self.service) != nil else {
                continue
            }
            for address in strings.prefix(4 * Self.addressesPerPeer).compactMap(Self.address) {
                guard let peer = address.peerID, peer != self.peer, let bare = address.withoutPeerID else { continue }
                if let index = found.firstIndex(where: { $0.peer == peer }) {
                    guard found[index].addresses.count < Self.addressesPerPeer else { continue }
                    found[index].addresses.append(bare)
                } else if found.count < Self.peersPerMessage {
                    found.append((peer, [bare], .seconds(Int64(record.lifetime))))
                }
            }
        }
        return found.map { peer, addresses, lifetime in
            let isNews = note(peer, addresses, lifetime, at: now)
            return .found(peer, addresses, lifetime: lifetime, isNews: isNews)
        }
    }

    /// - Returns: whether it is something that was not told before.
    private mutating func note(
        _ peer: PeerID, _ addresses: [Multiaddr], _ lifetime: Duration, at now: Instant
    ) -> Bool {
        guard lifetime > .zero else {
            told[peer] = nil
            return false
        }
        let new = Set(addresses)
        let known = told[peer].flatMap { $0.until > now ? $0.addresses : nil }
        if told[peer] == nil, told.count >= Self.maximumPeers {
            told = told.filter { $0.value.until > now }
            // Full of peers that are there: what is new is still told, each time.
            guard told.count < Self.maximumPeers else { return true }
        }
        told[peer] = (new, now + lifetime)
        return known.map { !new.isSubset(of: $0) } ?? true
    }

    private static func address(_ string: [UInt8]) -> Multiaddr? {
        let prefix = Array("dnsaddr=".utf8)
        guard string.starts(with: prefix), let text = String(validating: string.dropFirst(prefix.count), as: UTF8.self)
        else { return nil }
        return (try? Multiaddr(text)).flatMap { isUsable($0) ? $0 : nil }
    }

    /// Whether another host of the same network can make use of the address. A name or a relay would let a stranger
    /// there send this host wherever it likes.
    private static func isUsable(_ address: Multiaddr) -> Bool {
        guard !address.isRelayed else { return false }
        switch address.host?.scope {
        case .linkLocal, .privateUse, .global: return true
        case .unspecified, .loopback, .reserved, nil: return false
        }
    }
}
