import Oxbow
import OxbowCommandLine
import OxbowNIO
import Synchronization

/// How far a transfer is; the task that moves bytes counts, another one shows.
final class TransferProgress: Sendable {
    let name: String
    let total: UInt64
    private let done = Mutex<UInt64>(0)
    private let started = ContinuousClock.now

    init(name: String, total: UInt64) {
        (self.name, self.total) = (name, total)
    }

    func add(_ count: Int) {
        done.withLock { $0 += UInt64(count) }
    }

    var bytes: UInt64 { done.withLock { $0 } }

    /// What was moved so far, and in which time.
    var rate: Rate { Rate(bytes: bytes, time: ContinuousClock.now - started) }

    /// Shows a bar while `body` runs.
    func shown<Value: Sendable>(
        of stream: OxbowStream, while body: () async throws -> Value
    ) async throws -> Value {
        guard StandardError.isTerminal else { return try await body() }
        defer { StatusLine.shared.clear() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.draw(stream) }
            let value = try await body()
            group.cancelAll()
            return value
        }
    }

    private func draw(_ stream: OxbowStream) async {
        var last = (bytes: bytes, time: ContinuousClock.now)
        var speed: Double?
        while true {
            guard (try? await Task.sleep(for: .milliseconds(200))) != nil else { return }
            let now = (bytes: bytes, time: ContinuousClock.now)
            let fresh = Double(now.bytes - last.bytes) / max((now.time - last.time).seconds, 0.001)
            speed = speed.map { 0.7 * $0 + 0.3 * fresh } ?? fresh
            last = now
            let bar = TransferBar(name: name, bytes: now.bytes, total: total, bytesPerSecond: speed ?? 0)
            StatusLine.shared.show(bar.text(path: stream.connection, migrations: stream.migrationCount))
        }
    }
}

/// A transfer at one moment, as a line.
struct TransferBar {
    var name: String
    var bytes: UInt64
    var total: UInt64
    var bytesPerSecond: Double
    static let width = 20

    func text(path: ConnectionPath?, migrations: Int) -> String {
        let moves = migrations == 1 ? "1 migration" : "\(migrations) migrations"
        var text = "\(shortName) [\(bar)] \(percent)%  \(ByteCount.text(bytesPerSecond))/s  \(timeLeft)  \(moves)"
        if let path { text += "  \(path.id) \(path.remoteAddress?.description ?? "")" }
        return text
    }

    private var fraction: Double { total == 0 ? 1 : min(Double(bytes) / Double(total), 1) }
    private var percent: Int { Int(fraction * 100) }

    private var bar: String {
        let full = Int(fraction * Double(Self.width))
        return String(repeating: "#", count: full) + String(repeating: "-", count: Self.width - full)
    }

    private var shortName: String { name.count > 24 ? name.prefix(23) + "…" : name }

    private var timeLeft: String {
        guard bytesPerSecond > 0, total >= bytes else { return "-:--" }
        let seconds = min(Double(total - bytes) / bytesPerSecond, 359_999)
        let whole = Int(seconds.rounded(.up))
        let (minutes, rest) = (whole / 60, whole % 60)
        return "\(minutes):\(rest < 10 ? "0" : "")\(rest)"
    }
}
