import Foundation
import Oxbow

/// This program again, as a process that opens streams to a server and holds them: a fresh one, so that what it has for
/// them is not hidden by what earlier measurements have left.
final class StreamHolder {
    /// What its first argument is.
    static let command = "hold"

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    /// Connects to the server.
    init(_ server: Child, streams: Int) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [Self.command, "\(server.peer)", "\(server.address)", "\(streams)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        guard line() == "connected" else { throw Failure("the process that holds streams didn't connect") }
    }

    /// Opens the streams.
    ///
    /// - Returns: KiB of resident memory for each.
    func open() throws -> Double {
        input.fileHandleForWriting.write(Data("open\n".utf8))
        guard let perStream = line().flatMap(Double.init) else { throw Failure("the streams were not opened") }
        return perStream
    }

    func stop() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private func line() -> String? {
        Child.line(of: output.fileHandleForReading)
    }

    // MARK: In the process

    /// - Parameter arguments: those of the initializer.
    static func run(_ arguments: [String]) async throws {
        guard arguments.count == 3, let streams = Int(arguments[2]) else { throw Failure("it takes three arguments") }
        let (peer, address) = (try PeerID(arguments[0]), try Multiaddr(arguments[1]))
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([.noise])) { host in
            _ = try await host.connect(to: peer, at: [address])
            say("connected")
            _ = readLine()
            let before = Machine.residentKiB(Machine.ownProcess)
            var open: [Oxbow.Stream] = []
            for _ in 0..<streams {
                let stream = try await host.open(to: peer, [BenchProtocol.echo])
                try await SmallThings.echo(on: stream)
                open.append(stream)
            }
            say("\((Machine.residentKiB(Machine.ownProcess) - before) / Double(streams))")
            _ = readLine()
            open.forEach { $0.reset() }
        }
    }

    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }
}
