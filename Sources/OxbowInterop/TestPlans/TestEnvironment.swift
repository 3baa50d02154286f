import Oxbow
import OxbowCommandLine

/// Why the environment describes no test that can be run here.
enum TestEnvironmentError: Error, Hashable, Sendable, CustomStringConvertible {
    case missing(String)
    case invalid(name: String, value: String, wanted: String)
    /// The test is one that this implementation has no part in.
    case unsupported(name: String, value: String, supported: String)
    /// Nothing says which test it is.
    case noConvention(String)

    var description: String {
        switch self {
        case .missing(let name): "the environment variable \(name) is missing"
        case .invalid(let name, let value, let wanted): "\(name)='\(value)' is not \(wanted)"
        case .unsupported(let name, let value, let supported):
            "\(name)='\(value)' is not supported: this implementation has \(supported)"
        case .noConvention(let what): what
        }
    }
}

/// The environment in which a test runs: what its runner wants of this program.
///
/// A variable that is empty, or says `null` as the newer runner writes for a setting without a value, is as good as none.
struct TestEnvironment: Sendable {
    private let values: [String: String]

    init(_ values: [String: String]) {
        self.values = values.filter { !$0.value.isEmpty && $0.value != "null" }
    }

    subscript(name: String) -> String? { values[name] }

    func required(_ name: String) throws(TestEnvironmentError) -> String {
        guard let value = values[name] else { throw .missing(name) }
        return value
    }

    func flag(_ name: String) throws(TestEnvironmentError) -> Bool {
        let value = try required(name)
        switch value {
        case "true", "1": return true
        case "false", "0": return false
        default: throw .invalid(name: name, value: value, wanted: "true or false")
        }
    }

    func number(
        _ name: String, default standard: UInt64, in range: ClosedRange<UInt64>
    ) throws(TestEnvironmentError) -> UInt64 {
        guard let value = values[name] else { return standard }
        guard let number = UInt64(value), range.contains(number) else {
            throw .invalid(name: name, value: value, wanted: "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// How long the test lasts at most: a number of seconds.
    func timeout(_ name: String) throws(TestEnvironmentError) -> Duration {
        .seconds(Int64(try number(name, default: TestTime.standard, in: TestTime.range)))
    }

    /// - Parameter standard: where Redis is when the variable is missing; nil when it has to be there.
    func redis(_ name: String, default standard: RedisAddress?) throws(TestEnvironmentError) -> RedisAddress {
        guard let value = values[name] else {
            guard let standard else { throw .missing(name) }
            return standard
        }
        guard let address = RedisAddress(value) else {
            throw .invalid(name: name, value: value, wanted: "a host and a port, such as redis:6379")
        }
        return address
    }

    /// The TCP address to listen on at the IP address that a variable has.
    func listenAddress(
        _ name: String, default standard: String, port: UInt16 = 0
    ) throws(TestEnvironmentError) -> Multiaddr {
        let ip = values[name] ?? standard
        let kind = ip.contains(":") ? "ip6" : "ip4"
        do { return try Multiaddr("/\(kind)/\(ip)/tcp/\(port)") } catch {
            throw .invalid(name: name, value: ip, wanted: "an IP address")
        }
    }

    /// The security protocol, once it is certain that the rest of the stack is TCP and Yamux.
    ///
    /// - Parameters:
    ///   - transport: the names of the variables.
    ///   - isImplied: whether security and multiplexer are Noise and Yamux when they aren't named.
    func security(
        transport: String, security: String, muxer: String, isImplied: Bool = false
    ) throws(TestEnvironmentError) -> SecurityProtocol {
        let kind = try required(transport)
        guard kind == "tcp" else { throw .unsupported(name: transport, value: kind, supported: "tcp") }
        let muxing = try isImplied ? values[muxer] ?? "yamux" : required(muxer)
        guard muxing == "yamux" else { throw .unsupported(name: muxer, value: muxing, supported: "yamux") }
        let channel = try isImplied ? values[security] ?? "noise" : required(security)
        guard let known = SecurityProtocol(rawValue: channel) else {
            throw .unsupported(name: security, value: channel, supported: "noise and tls")
        }
        return known
    }
}

/// By which of the two conventions a test runs: what the variables are called, where the results go, and how they look.
enum TestConvention: Hashable, Sendable {
    /// libp2p/test-plans.
    case testPlans
    /// libp2p/unified-testing: all tests share one Redis, and each has a key of its own in it.
    case unified(key: String)
}

/// How long a test lasts at most, when its runner doesn't say.
enum TestTime {
    fileprivate static let standard: UInt64 = 180
    static let range: ClosedRange<UInt64> = 1...86_400
}

extension Sequence<Multiaddr> {
    /// The address at which another container finds this host: not a loopback one, if there is a choice.
    ///
    /// - Parameter local: the IP address from which this host talks to Redis, which the other one does as well.
    func reachable(preferring local: String?) -> Multiaddr? {
        let outside = filter { !$0.isLoopback && !$0.isUnspecified && !$0.isLinkLocal }
        return outside.first { $0.host?.description == local } ?? outside.first ?? first { !$0.isUnspecified }
    }
}

extension Multiaddr {
    fileprivate var isLinkLocal: Bool { host?.scope == .linkLocal }
}
