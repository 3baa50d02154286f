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
        process = try ChildProcess(.ownProgram, [Self.command] + role.arguments)
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

    /// - Parameter isQuiet: Whether nobody sees its standard error, which is this one's otherwise.
    init(_ program: URL, _ arguments: [String], isQuiet: Bool = false) throws {
        process.executableURL = program
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        if isQuiet { process.standardError = FileHandle.nullDevice }
        try Self.withoutBlockedSignals { try process.run() }
    }

    /// A process begins with the signal mask of the thread that starts it. Those of tasks block nearly all of them, SIGTERM too.
    private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
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

    /// Reads on, and away: a process whose output nobody takes stands still at last.
    func drain() {
        output.fileHandleForReading.readabilityHandler = { handle in
            if handle.availableData.isEmpty { handle.readabilityHandler = nil }
        }
    }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

/// The same from inside.
extension ChildProcess {
    static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    /// Waits for the end of the standard input on a thread of its own.
    static func endOfInput() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            Thread.detachNewThread {
                while !FileHandle.standardInput.availableData.isEmpty {}
                continuation.resume()
            }
        }
    }
}

extension URL {
    /// This program.
    static let ownProgram = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
}
