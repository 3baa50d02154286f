import Foundation
import Oxbow

/// The second process: this program again, as a server.
final class Child {
    /// What the first argument of a server is.
    static let command = "serve"

    private let process: ChildProcess
    let peer: PeerID
    /// Where it is reached first of all.
    let address: Multiaddr
    /// All of its addresses.
    let addresses: [Multiaddr]
    /// Where the plain TCP server listens.
    let plainPort: Int

    init(_ role: ServerRole = ServerRole()) throws {
        process = try ChildProcess(
            URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath(), [Self.command] + role.arguments)
        guard let line = process.line() else { throw Failure("the server didn't start") }
        let words = line.split(separator: " ").map(String.init)
        guard words.count >= 3, let port = Int(words[1]) else { throw Failure("the server said: \(line)") }
        peer = try PeerID(words[0])
        plainPort = port
        addresses = try words.dropFirst(2).map { try Multiaddr($0) }
        address = addresses[0]
    }

    var pid: Int32 { process.pid }

    func stop() {
        process.stop()
    }
}

/// A process that ends with its standard input, so that it never outlives this one, and says what it has to in lines.
final class ChildProcess {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var read = Data()
    private var isStopped = false

    init(_ program: URL, _ arguments: [String], environment: [String: String]? = nil) throws {
        process.executableURL = program
        process.arguments = arguments
        if let environment { process.environment = environment }
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    deinit { stop() }

    var pid: Int32 { process.processIdentifier }

    /// - Returns: the next line; nil when there is none any more.
    func line() -> String? {
        while true {
            if let end = read.firstIndex(of: 10) {
                let line = String(decoding: read[read.startIndex..<end], as: UTF8.self)
                read = Data(read[read.index(after: end)...])
                return line
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { return nil }
            read += more
        }
    }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
