import NIOCore
import Synchronization

@testable import OxbowInterop

/// What a scripted server has heard, and what it will say.
final class HeardCommands: Sendable {
    private let state: Mutex<(heard: [String], answers: [String])>

    init(_ answers: [String]) {
        state = Mutex(([], answers))
    }

    var all: [String] { state.withLock { $0.heard } }

    /// - Returns: the answer to a command; nil when there is none.
    func hear(_ command: String) -> String? {
        state.withLock { state in
            state.heard.append(command)
            return state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
    }
}

/// Answers each command with the next line of its script.
final class ScriptedServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let commands: HeardCommands
    private var reader = RedisReplyReader()

    init(_ commands: HeardCommands) {
        self.commands = commands
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        reader.receive(&bytes)
        // A command has the form of a reply.
        while case .array(let words?)? = try? reader.next() {
            let command = words.compactMap(\.string).joined(separator: " ")
            guard let answer = commands.hear(command) else { return context.close(promise: nil) }
            context.channel.writeAndFlush(ByteBuffer(string: answer), promise: nil)
        }
    }
}
