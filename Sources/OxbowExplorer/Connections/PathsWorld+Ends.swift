import OxbowCore
import OxbowSwarm

// How connections end.

extension PathsWorld {
    /// A connection that was given up is closed.
    mutating func close(_ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        try checkClosing(link, side)
        run.note(side, "closes connection \(link)")
        run.tally.closed += 1
        if !links[link].isLost, links[link].ends[1 - side].stage != .over {
            links[link].toward[1 - side].append(PathsFrame(kind: .end))
        }
        try over(link, side, run)
    }

    mutating func lose(_ link: Int) {
        lossesLeft -= 1
        links[link].isLost = true
        for side in 0...1 where links[link].ends[side].stage != .over { links[link].ends[side].owesLoss = true }
    }

    mutating func learnLoss(_ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        run.tally.failed += 1
        guard links[link].ends[side].stage == .open else {
            return links[link].ends[side] = PathsLink.End(stage: .over)
        }
        try over(link, side, run)
    }

    /// A connection is over, as far as a side knows.
    mutating func over(_ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        let id = id(of: link, at: side)
        links[link].toward[side] = []
        links[link].ends[side] = PathsLink.End(stage: .over, id: id)
        sides[side].set?.closed(id, at: .zero)
        for stream in streams.indices { try lost(stream, link, side) }
        settle(side, run)
        try judgeHeld(side, run)
    }

    private mutating func lost(_ stream: Int, _ link: Int, _ side: Int) throws(Violation) {
        var end = streams[stream].ends[side]
        end.held.removeAll { $0.leg.link == link }
        end.refused.removeAll { $0.link == link }
        if end.yielded?.link == link { end.yielded = nil }
        streams[stream].ends[side] = end
        if end.target?.link == link, end.phase == .asking { attemptFailed(stream, side) }
        guard streams[stream].ends[side].legs.contains(where: { $0.link == link }) else { return }
        if links[link].isLost { streams[stream].isExcused = true }
        try fail(stream, side, "connection \(link) is over")
    }
}
