public import OxbowCore

/// All limits of a ``ResourceLedger``: how much of the host's memory its connections and streams may take, and how that
/// is shared out, in the manner of go-libp2p's resource manager.
///
/// The numbers for the whole host grow with its memory; those for one peer, connection, stream or address don't.
public struct ResourceLimits: Hashable, Sendable {
    /// Everything together, but for what is ``allowlisted``.
    public var system: ScopeLimits
    /// What ``allowedAddresses`` and ``allowedPeers`` may use, besides ``system``.
    public var allowlisted: ScopeLimits
    /// Connections until their peer is authenticated, and streams until their protocol is known.
    public var transient: ScopeLimits
    /// Inbound connections from one IP address, and from the blocks that it is part of.
    public var addresses = AddressLimits()
    /// One peer.
    public var peer = ScopeLimits(
        connections: 8, inboundStreams: 512, outboundStreams: 512, streams: 1_024, memory: 64 << 20)
    /// Peers with limits of their own in place of ``peer``.
    public var peers: [PeerID: ScopeLimits] = [:]
    /// The streams of one peer until their protocol is known.
    public var negotiations = ScopeLimits(inboundStreams: 256, outboundStreams: 256)
    /// One connection with its streams.
    public var connection = ScopeLimits(
        inboundStreams: 512, outboundStreams: 512, streams: 1_024, memory: 64 << 20)
    /// One stream; only ``ScopeLimits/memory`` means something.
    public var stream = ScopeLimits(memory: 16 << 20)
    /// The streams of one protocol with all peers.
    public var `protocol`: ScopeLimits
    /// Protocols with limits of their own in place of ``protocol``.
    public var protocols: [ProtocolID: ScopeLimits] = [:]
    /// The streams of one protocol with one peer.
    public var protocolOfPeer = ScopeLimits.unlimited
    /// Protocols with limits of their own in place of ``protocolOfPeer``.
    public var protocolsOfPeer: [ProtocolID: ScopeLimits] = [:]
    /// Addresses whose connections count under ``allowlisted`` alone until their peer is known, not under ``addresses``,
    /// ``transient`` or ``system``.
    public var allowedAddresses: [IPPrefix] = []
    /// Peers whose connections count under ``allowlisted`` from the moment on at which they are authenticated. Until
    /// then nobody knows who they are: list their addresses too, if a flood is to be no obstacle to them.
    public var allowedPeers: Set<PeerID> = []
    /// What a connection is reckoned to cost at rest, in bytes.
    public var memoryPerConnection = 64 << 10
    /// What a stream is reckoned to cost besides its receive window, in bytes.
    public var memoryPerStream = 32 << 10

    /// Limits for a host that has `memory` bytes of memory: 128 inbound connections per GiB, and so on.
    ///
    /// At worst, with the first 256 KiB of each stream's receive window, which the multiplexer's protocol grants unasked,
    /// three quarters of it are used. Below 256 MiB the numbers fall no further.
    public init(memory: Int) {
        func scaled(_ perGiB: Int) -> Int {
            // In MiB, so that no product overflows.
            let mebibytes = min(max(memory >> 20, 256), 1 << 30)
            return max(1, (perGiB * mebibytes) >> 10)
        }
        system = ScopeLimits(
            inboundConnections: scaled(128), outboundConnections: scaled(256), connections: scaled(384),
            inboundStreams: scaled(1_024), outboundStreams: scaled(2_048), streams: scaled(2_048),
            memory: scaled(256) << 20)
        allowlisted = system
        transient = ScopeLimits(
            inboundConnections: scaled(64), outboundConnections: scaled(128), connections: scaled(192),
            inboundStreams: scaled(512), outboundStreams: scaled(1_024), streams: scaled(1_024))
        // So that no one protocol can take every place from the others.
        `protocol` = ScopeLimits(
            inboundStreams: scaled(768), outboundStreams: scaled(1_536), streams: scaled(1_536))
    }

    /// No limit at all: for tests, and for hosts whose peers are all trusted.
    public static var unlimited: ResourceLimits {
        var limits = ResourceLimits(memory: 0)
        (limits.system, limits.allowlisted, limits.transient) = (.unlimited, .unlimited, .unlimited)
        (limits.peer, limits.negotiations, limits.connection) = (.unlimited, .unlimited, .unlimited)
        (limits.stream, limits.protocol, limits.protocolOfPeer) = (.unlimited, .unlimited, .unlimited)
        limits.addresses = .unlimited
        return limits
    }

    /// Why no ledger can work with these limits; nil when one can.
    public var problem: String? {
        let scopes = [
            system, allowlisted, transient, peer, negotiations, connection, stream, `protocol`, protocolOfPeer,
        ]
        let special = Array(peers.values) + Array(protocols.values) + Array(protocolsOfPeer.values)
        if let problem = (scopes + special).lazy.compactMap(\.problem).first { return problem }
        if memoryPerConnection < 0 || memoryPerStream < 0 { return "what a connection or stream costs isn't negative" }
        if memoryPerConnection > connection.memory {
            return "memoryPerConnection (\(memoryPerConnection)) is more than connection.memory: none could be opened"
        }
        if memoryPerStream > stream.memory {
            return "memoryPerStream (\(memoryPerStream)) is more than stream.memory: none could be opened"
        }
        return addresses.problem
    }
}

/// How many inbound connections one IP address may have, and each block that it is part of.
public struct AddressLimits: Hashable, Sendable {
    /// The limits of the blocks of one size.
    public struct Block: Hashable, Sendable {
        /// How many bits the addresses of a block share.
        public var prefixLength: Int
        /// Inbound connections, authenticated or not.
        public var connections: Int
        /// Inbound connections whose peer isn't authenticated yet: what an unknown sender can make this host compute
        /// at once.
        public var handshakes: Int

        /// The limits of the blocks whose addresses share `prefixLength` bits.
        public init(prefixLength: Int, connections: Int, handshakes: Int) {
            (self.prefixLength, self.connections, self.handshakes) = (prefixLength, connections, handshakes)
        }
    }

    /// For IPv4: one address, and its neighbours.
    public var ip4 = [
        Block(prefixLength: 32, connections: 8, handshakes: 8),
        Block(prefixLength: 24, connections: 128, handshakes: 32),
    ]
    /// For IPv6: /56 is what a household gets, /48 a site.
    public var ip6 = [
        Block(prefixLength: 56, connections: 8, handshakes: 8),
        Block(prefixLength: 48, connections: 64, handshakes: 32),
    ]
    /// Whether connections from this host itself count as well.
    public var includesLoopback = false

    /// The defaults.
    public init() {}

    /// No limit at all.
    public static var unlimited: AddressLimits {
        var limits = AddressLimits()
        (limits.ip4, limits.ip6) = ([], [])
        return limits
    }

    /// The sizes of blocks of one family that may be limited at most: each costs every inbound connection two look-ups.
    public static let maximumBlocks = 4

    func blocks(for address: IPPrefix) -> [Block] {
        if address.isLoopback, !includesLoopback { return [] }
        return address.isIPv6 ? ip6 : ip4
    }

    var problem: String? {
        for (blocks, bits) in [(ip4, 32), (ip6, 128)] {
            if blocks.count > Self.maximumBlocks { return "at most \(Self.maximumBlocks) sizes of blocks are limited" }
            if !blocks.allSatisfy({ (0...bits).contains($0.prefixLength) }) {
                return "the prefix of an IPv\(bits == 32 ? 4 : 6) block has 0 to \(bits) bits"
            }
            if Set(blocks.map(\.prefixLength)).count < blocks.count { return "two blocks have the same prefix length" }
            if !blocks.allSatisfy({ $0.connections >= 0 && $0.handshakes >= 0 }) {
                return "a limit of connections from an address is negative; the smallest is 0"
            }
        }
        return nil
    }
}
