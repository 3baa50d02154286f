import OxbowCore
import OxbowMigration
import OxbowSwarm

/// What one walk is about, and what it saw.
package final class PathsRun: WalkRun {
    package let plan: PathsPlan
    package var tally = Tally()
    /// Gets what a side does, when a chart is drawn.
    package var note: ((_ side: Int, String) -> Void)?

    package init(_ plan: PathsPlan) {
        self.plan = plan
    }

    func note(_ side: Int, _ text: @autoclosure () -> String) {
        if let note { note(side, text()) }
    }
}

extension PathsWorld {
    /// Lets an event happen, and everything that follows from it at once.
    package mutating func apply(_ event: PathsEvent, _ run: PathsRun) throws(Violation) {
        try happen(event, run)
        answerPings()
        try checkAlways(run.plan)
    }

    private mutating func happen(_ event: PathsEvent, _ run: PathsRun) throws(Violation) {
        switch event {
        case .connect(let link, let side): connect(link, side, run)
        case .refuse(let link): refuse(link, run)
        case .deliver(let link, let side): try deliver(link, side, run)
        case .open(let stream, let link): try open(stream, on: link, run)
        case .emerge(let stream): try emerge(stream, run)
        case .end(let stream): end(stream, run)
        case .tick(let side): try tick(side, run)
        case .look(let link, let side): look(link, side, run)
        case .giveUp(let link, let side): try giveUp(link, side, run)
        case .move(let side): move(side, run)
        case .pingAgain(let link, let side):
            links[link].ends[side].restsFromPings = false
            ping(link, side)
        case .lose(let link): lose(link)
        case .learnLoss(let link, let side): try learnLoss(link, side, run)
        case .degrade(let link, let side):
            degradationsLeft[side] -= 1
            let id = id(of: link, at: side)
            sides[side].set?.measured(id, roundTrip: .seconds(10), at: .zero)
            settle(side, run)
        case .recover(let link, let side):
            recoveriesLeft -= 1
            measured(link, side, run.plan)
            settle(side, run)
        case .silence(let stream, let side):
            silencesLeft -= 1
            changeWaiting(stream, side) { $0.isSilent = true }
            try judgeHeld(side, run)
        }
    }

    // MARK: Connections

    /// A handshake ends here.
    private mutating func connect(_ link: Int, _ side: Int, _ run: PathsRun) {
        open(link, side, run.plan)
        ping(link, side)
        if run.plan.mutant == .confirmedAtOnce { measured(link, side, run.plan) }
        settle(side, run)
    }

    mutating func open(_ link: Int, _ side: Int, _ plan: PathsPlan) {
        sides[side].opened += 1
        sides[side].hasStood = true
        links[link].ends[side].id = sides[side].opened
        links[link].ends[side].stage = .open
        let facts = plan.facts(of: link, id: sides[side].opened, at: side)
        sides[side].set?.opened(facts, at: .zero)
    }

    private mutating func refuse(_ link: Int, _ run: PathsRun) {
        let dialer = run.plan.links[link].dialer
        links[link].ends[1 - dialer].stage = .over
        links[link].toward[1 - dialer] = []
        links[link].toward[dialer].append(PathsFrame(kind: .end))
    }

    mutating func ping(_ link: Int, _ side: Int) {
        // A stock host asks for nothing.
        guard sides[side].set != nil, !links[link].ends[side].isPinging, links[link].ends[side].stage == .open else {
            return
        }
        links[link].ends[side].isPinging = true
        send(PathsFrame(kind: .ping), by: side, on: link)
    }

    /// Answers the pings that have arrived.
    ///
    /// A reduction, and why it is sound: what a pong tells its reader is that all that this side sent before has arrived.
    /// The sooner it goes out, the less stands before it. A later one would only stand behind more frames, and those can
    /// go out before the ping does as well.
    private mutating func answerPings() {
        for link in links.indices {
            for side in 0...1 where links[link].ends[side].stage == .open {
                while links[link].toward[side].first?.kind == .ping {
                    links[link].toward[side].removeFirst()
                    send(PathsFrame(kind: .pong), by: side, on: link)
                }
            }
        }
    }

    mutating func measured(_ link: Int, _ side: Int, _ plan: PathsPlan) {
        let roundTrip = Duration.milliseconds(plan.links[link].roundTrip[side])
        let id = id(of: link, at: side)
        sides[side].set?.measured(id, roundTrip: roundTrip, at: .zero)
    }

    /// What follows from a change of a side's connections (`Swarm.changePaths`).
    mutating func settle(_ side: Int, _ run: PathsRun) {
        guard sides[side].set != nil else { return }
        var moves: [UInt64: UInt64] = [:]
        for link in links.indices where links[link].ends[side].stage == .open {
            let id = id(of: link, at: side)
            if let target = destination(from: id, side, run.plan) { moves[id] = target }
        }
        let isNew = moves != sides[side].moves && !moves.isEmpty
        sides[side].moves = moves
        guard isNew else { return }
        for stream in streams.indices {
            let end = streams[stream].ends[side]
            guard end.stage == .live, !end.isChosen, let place = end.place, moves[id(of: place.link, at: side)] != nil
            else { continue }
            sides[side].mover.add(key(stream))
        }
    }

    // MARK: Frames

    private mutating func deliver(_ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        let frame = links[link].toward[side].removeFirst()
        guard !frame.isOfStream else { return try deliver(frame, link, side, run) }
        switch frame.kind {
        case .pong: try pinged(link, side, run)
        case .goAway:
            guard run.plan.mutant != .ignoresGoAway else { return }
            links[link].ends[side].hasPeerGoneAway = true
            let id = id(of: link, at: side)
            sides[side].set?.peerRetired(id, at: .zero)
            settle(side, run)
        case .end: try over(link, side, run)
        default: break
        }
    }

    private mutating func pinged(_ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        links[link].ends[side].isPinging = false
        measured(link, side, run.plan)
        settle(side, run)
        noteHeard(link, side)
        try judgeHeld(side, run)
        try retiringPingAnswered(link, side, run)
    }

    // MARK: What the set decides

    mutating func tick(_ side: Int, _ run: PathsRun) throws(Violation) {
        let actions = sides[side].set?.tick(at: .zero) ?? []
        for action in actions {
            switch action {
            case .retire(let id):
                guard let link = link(id, at: side) else { continue }
                if run.plan.usesLoops {
                    links[link].ends[side].owesGivingUp = true
                } else {
                    try giveUp(link, side, run)
                }
            case .inspect(let id):
                guard let link = link(id, at: side) else { continue }
                if run.plan.usesLoops { links[link].ends[side].owesLook = true } else { look(link, side, run) }
            case .probe(let id):
                // Where no connection degrades, a sign of life decides nothing: that the connection is best shows that
                // one came already.
                guard run.plan.degradations != [0, 0], let link = link(id, at: side) else { continue }
                ping(link, side)
            }
        }
        settle(side, run)
    }

    private mutating func look(_ link: Int, _ side: Int, _ run: PathsRun) {
        links[link].ends[side].owesLook = false
        let streams = count(on: link, at: side, run.plan)
        let id = id(of: link, at: side)
        sides[side].set?.inspected(id, streams: streams, at: .zero)
        settle(side, run)
    }

    /// `ConnectionDriver.retire`, and the look just before.
    private mutating func giveUp(_ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        links[link].ends[side].owesGivingUp = false
        let streams = count(on: link, at: side, run.plan)
        let id = id(of: link, at: side)
        let isSure = sides[side].set?.retires(id, streams: streams, at: .zero) ?? false
        settle(side, run)
        guard isSure || (run.plan.mutant == .givesUpLast && streams == 0) else { return }
        let isLast = !links.indices.contains { $0 != link && links[$0].ends[side].takesStreams }
        if isLast, links[link].ends[side].takesStreams {
            throw Violation(.cs8, "\(name(side)) gives up connection \(link), the only one that takes streams")
        }
        guard links[link].ends[side].answers == nil else { return }
        run.note(side, "gives up connection \(link)")
        links[link].ends[side].answers = 0
        send(PathsFrame(kind: .goAway), by: side, on: link)
        if run.plan.mutant == .closesAtGoAway { return try close(link, side, run) }
        ping(link, side)
    }

    private mutating func retiringPingAnswered(_ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        guard let answers = links[link].ends[side].answers else { return }
        let needed: UInt8 = run.plan.mutant == .closesAtFirstPong ? 1 : 3
        guard answers + 1 >= needed else {
            links[link].ends[side].answers = answers + 1
            return ping(link, side)
        }
        if count(on: link, at: side, run.plan) == 0 || run.plan.mutant == .closesBusy {
            return try close(link, side, run)
        }
        links[link].ends[side].answers = needed - 1
        links[link].ends[side].restsFromPings = true
    }
}

func name(_ side: Int) -> String { side == 0 ? "lower" : "higher" }
