import ArgumentParser
import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO
import Synchronization

/// Round trips, as ping(8) shows them.
struct PingCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Measure the round trip to a peer, until Ctrl-C.",
        discussion:
            "The exit status is 0 when at least one ping came back, 1 when none did, 2 when there was no connection.")

    @OptionGroup var dialing: DialOptions
    @Option(name: .shortAndLong, help: "End after so many pings.")
    var count: Int?
    @Option(name: .shortAndLong, help: "Seconds from one ping to the next.")
    var interval = 1.0
    @Option(help: "Seconds that an answer may take.")
    var timeout = 10.0
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is at least 1") }
        guard interval >= 0, interval <= 86_400 else { throw ValidationError("--interval is 0 to 86400 seconds") }
        guard timeout > 0, timeout <= 86_400 else {
            throw ValidationError("--timeout is more than 0, up to 86400 seconds")
        }
    }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: false)
        let tally = PingTally()
        _ = try await interruptible(isGraceful: true) {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                try await command.pingOnAndOn(host, tally)
            }
        }
        let statistics = tally.statistics
        if !output.json { StandardOutput.write(line: statistics.text) }
        guard !statistics.times.isEmpty else {
            throw CommandFailure(.failed, "no ping came back", fields: statistics.fields)
        }
        return statistics.fields
    }

    private func pingOnAndOn(_ host: OxbowHost, _ tally: PingTally) async throws {
        var peer = try await dialing.connect(host)
        if !output.json { StandardOutput.write(line: "ping \(peer.id)") }
        var stream: PingStream?
        for number in 1...(count ?? .max) {
            let next = ContinuousClock.now + .seconds(interval)
            do {
                if host.peer(peer.id)?.connections.isEmpty ?? true { peer = try await dialing.connect(host) }
                var current: PingStream
                if let stream { current = stream } else { current = try await openStream(peer, host) }
                let time = try await current.ping()
                stream = current
                tally.answered(in: time)
                show(number, "\(decimal(time.milliseconds, 3)) ms", on: current.stream.connection)
            } catch {
                guard !Task.isCancelled else { return }
                stream = nil
                tally.lost()
                let lines = CommandFailure(error).description.split(separator: "\n").map { $0.drop { $0 == " " } }
                show(number, "lost: " + lines.joined(separator: "; "), on: nil)
            }
            guard number != count else { break }
            try await Task.sleep(until: next)
        }
        stream?.stream.close()
    }

    private func openStream(_ peer: Peer, _ host: OxbowHost) async throws -> PingStream {
        try await PingStream.open(to: peer, on: host, timeout: .seconds(timeout))
    }

    private func show(_ number: Int, _ text: String, on path: ConnectionPath?) {
        guard !output.json else { return }
        StandardOutput.write(line: printable("\(number): \(text)" + (path.map { "  \($0)" } ?? "")))
    }
}

/// Counts pings; shared with whoever tells the result when the pinging was cut short.
final class PingTally: Sendable {
    struct Statistics: Sendable {
        var sent = 0
        var times: [Duration] = []

        var text: String {
            let loss = sent == 0 ? 0 : 100 * Double(sent - times.count) / Double(sent)
            let head = "\(sent) sent, \(times.count) came back, \(decimal(loss, 0)) % lost"
            guard let (least, mean, most) = spread else { return head }
            return head + "; min/avg/max \(decimal(least, 3))/\(decimal(mean, 3))/\(decimal(most, 3)) ms"
        }

        var fields: [(String, JSON)] {
            let times = spread.map { [$0.0, $0.1, $0.2].map(JSON.rounded) } ?? [.null, .null, .null]
            return [
                ("sent", .int(Int64(sent))), ("received", .int(Int64(self.times.count))), ("min_ms", times[0]),
                ("avg_ms", times[1]), ("max_ms", times[2]),
            ]
        }

        private var spread: (Double, Double, Double)? {
            guard let least = times.min(), let most = times.max() else { return nil }
            let sum = times.reduce(0) { $0 + $1.milliseconds }
            return (least.milliseconds, sum / Double(times.count), most.milliseconds)
        }
    }

    private let state = Mutex(Statistics())

    var statistics: Statistics { state.withLock { $0 } }

    func answered(in time: Duration) {
        state.withLock { state in
            state.sent += 1
            state.times.append(time)
        }
    }

    func lost() {
        state.withLock { $0.sent += 1 }
    }
}
