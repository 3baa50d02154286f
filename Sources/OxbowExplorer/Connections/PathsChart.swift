// A way through a world of connections as a message sequence chart. `c0` to `c2` are connections.

extension PathsWorld {
    package static func chart(_ plan: PathsPlan, _ path: [PathsEvent]) -> String {
        var chart = PathsChart(plan)
        var world = PathsWorld(plan)
        for event in path { chart.draw(event, &world) }
        return chart.lines.joined(separator: "\n")
    }
}

private struct PathsChart {
    private(set) var lines = [Lifelines.heading]
    private let run: PathsRun
    private let notes = Notes()

    private final class Notes {
        var texts: [String] = []
    }

    init(_ plan: PathsPlan) {
        run = PathsRun(plan)
        let notes = notes
        run.note = { side, text in notes.texts.append("\(OxbowExplorer.name(side)) \(text)") }
    }

    mutating func draw(_ event: PathsEvent, _ world: inout PathsWorld) {
        let before = world
        notes.texts = []
        do throws(Violation) { try world.apply(event, run) } catch { notes.texts.append("✗ \(error)") }
        var line = line(event, before)
        for note in notes.texts { line += (note == notes.texts.first ? "  " : "; ") + note }
        lines.append(line)
    }

    private func line(_ event: PathsEvent, _ world: PathsWorld) -> String {
        switch event {
        case .deliver(let link, let side):
            guard let frame = world.links[link].toward[side].first else { return "" }
            return Lifelines.arrow(Self.describe(frame), to: side, name: "c\(link)", line: "─")
        case .lose(let link): return Lifelines.across(" connection \(link) breaks ")
        case .connect(let link, let side): return Lifelines.local(side, "has connection \(link), \(kind(of: link))")
        case .refuse(let link): return Lifelines.local(1 - run.plan.links[link].dialer, "refuses connection \(link)")
        case .open(let stream, _): return Lifelines.local(run.plan.streams[stream].opener, "opens stream \(stream)")
        case .emerge(let stream):
            return Lifelines.local(run.plan.streams[stream].opener, "stream \(stream) reaches its connection")
        case .end(let stream): return Lifelines.local(run.plan.streams[stream].opener, "ends stream \(stream)")
        case .tick(let side): return Lifelines.local(side, "does what is due")
        case .look(let link, let side): return Lifelines.local(side, "counts the streams on connection \(link)")
        case .giveUp(let link, let side): return Lifelines.local(side, "is to give up connection \(link)")
        case .move(let side): return Lifelines.local(side, "the next stream's turn")
        case .pingAgain(let link, let side): return Lifelines.local(side, "looks at connection \(link) again")
        case .learnLoss(let link, let side): return Lifelines.local(side, "learns that connection \(link) is gone")
        case .degrade(let link, let side): return Lifelines.local(side, "finds connection \(link) bad")
        case .recover(let link, let side): return Lifelines.local(side, "finds connection \(link) well again")
        case .silence(let stream, let side): return Lifelines.local(side, "heard nothing: stream \(stream) may go")
        }
    }

    private func kind(of link: Int) -> String {
        let planned = run.plan.links[link]
        return "\(planned.isRelayed ? "relayed" : "direct"), by \(OxbowExplorer.name(planned.dialer))"
    }

    private static func describe(_ frame: PathsFrame) -> String {
        let stream = "stream \(frame.stream)"
        return switch frame.kind {
        case .syn: "opens \(stream)"
        case .answer: "answers \(stream)"
        case .migrate: "Migrate, \(stream)"
        case .ack: "AckMigrate, \(stream)"
        case .denial: "AckMigrate(deny), \(stream)"
        case .fin: "FIN, \(stream)"
        case .reset: "RST, \(stream)"
        case .ping: "ping"
        case .pong: "pong"
        case .goAway: "GoAway"
        case .end: "end of the connection"
        }
    }
}
