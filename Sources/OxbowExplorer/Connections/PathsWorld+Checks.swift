import OxbowSwarm

// The properties: `Specs/connections.md` has them with their reasons.

extension PathsWorld {
    /// What must hold in every state.
    func checkAlways(_ plan: PathsPlan) throws(Violation) {
        if lossesLeft == plan.losses {
            for side in 0...1 where sides[side].hasStood { try checkConnected(side) }
        }
        for stream in streams.indices {
            if streams[stream].moves > plan.mostMoves {
                throw Violation(.cs10, "stream \(stream) has moved \(streams[stream].moves) times")
            }
            for side in 0...1 where streams[stream].ends[side].attempts > plan.mostAttempts {
                let attempts = streams[stream].ends[side].attempts
                throw Violation(.cs10, "\(name(side)) has asked \(attempts) times to move stream \(stream)")
            }
        }
    }

    /// CS-8: once one stood, there is always a connection that takes streams, for each side.
    private func checkConnected(_ side: Int) throws(Violation) {
        guard links.contains(where: { $0.ends[side].stage == .open }) else {
            throw Violation(.cs8, "\(name(side)) has no connection any more")
        }
        guard sides[side].set == nil || !usable(at: side).isEmpty else {
            throw Violation(.cs8, "\(name(side)) has no connection that takes streams")
        }
    }

    /// CS-7: nothing is on the connection here, or under way to here. What the peer still has on it is looked at when the
    /// end arrives there: what this side has sent comes before.
    func checkClosing(_ link: Int, _ side: Int) throws(Violation) {
        guard !links[link].isLost else { return }
        for stream in streams.indices {
            let end = streams[stream].ends[side]
            let legs = end.legs + end.held.map(\.leg) + end.refused
            guard !legs.contains(where: { $0.link == link }) else {
                throw Violation(.cs7, "\(name(side)) closes connection \(link) with stream \(stream) on it")
            }
        }
        // What is under way to the peer comes before the end; what comes from it is lost.
        let lost = links[link].toward[side].first { frame in
            guard frame.isOfStream else { return false }
            let stream = streams[Int(frame.stream)]
            // The end of a stream travels on each of its underlying streams; that it arrives is looked at when at rest.
            return stream.ends[side].stage != .gone && !stream.isExcused && !stream.hasEnded
        }
        if let flying = lost {
            throw Violation(
                .cs7, "\(name(side)) closes connection \(link), to which stream \(flying.stream) is under way")
        }
    }

    /// CS-6: a stream goes to a worse class only if the better connection is bad for this side, too, or says nothing.
    func checkDowngrade(
        _ held: PathsEnd.Held, _ place: PathsLeg, _ stream: Int, _ side: Int, _ plan: PathsPlan
    ) throws(Violation) {
        let isWorse = plan.links[held.leg.link].isRelayed && !plan.links[place.link].isRelayed
        guard isWorse, plan.behaviours[side] == .automatic, links[place.link].ends[side].takesStreams,
            sides[side].set?.isDegraded(id(of: place.link, at: side)) == false
        else { return }
        guard held.isSilent, !held.wasHeard else {
            throw Violation(
                .cs6, "\(name(side)) lets stream \(stream) go to a worse connection, though the better is well")
        }
    }

    // MARK: At rest

    /// What must hold when nothing happens any more.
    package func checkRest(_ plan: PathsPlan) throws(Violation) {
        for stream in streams.indices { try checkStreamAtRest(stream, plan) }
        for side in 0...1 where !sides[side].mover.isEmpty {
            throw Violation(.cs10, "\(name(side)) still counts \(sides[side].mover.count) streams as moving")
        }
        try checkLinksAtRest(plan)
    }

    private func checkStreamAtRest(_ stream: Int, _ plan: PathsPlan) throws(Violation) {
        let (lower, higher) = (streams[stream].ends.first, streams[stream].ends.second)
        if lower.stage == .gone || higher.stage == .gone {
            // A stream whose opening was lost, one side never hears of.
            let isOver = lower.stage == higher.stage || (streams[stream].isExcused && lower.source == higher.source)
            guard isOver, streams[stream].hasEnded || streams[stream].isExcused else {
                throw Violation(.cs9, "stream \(stream) is over at one side alone")
            }
            return
        }
        if lower.stage == .absent, higher.stage == .absent {
            guard usable(at: plan.streams[stream].opener).isEmpty else {
                throw Violation(.cs4, "stream \(stream) can't be opened")
            }
            return
        }
        let isSettled = [lower, higher].allSatisfy {
            $0.stage == .live && $0.phase == .settled && $0.legs.count == 1 && $0.held.isEmpty
        }
        guard isSettled, lower.source == higher.source else {
            throw Violation(.cs9, "stream \(stream) is not at one place at rest")
        }
    }

    private func checkLinksAtRest(_ plan: PathsPlan) throws(Violation) {
        let standing = links.indices.filter {
            links[$0].ends.first.stage == .open || links[$0].ends.second.stage == .open
        }
        for link in standing where links[link].ends.first.stage != links[link].ends.second.stage {
            throw Violation(.cs9, "connection \(link) stands at one side alone")
        }
        guard let left = plan.left else { return }
        guard standing.count == left || (lossesLeft < plan.losses && standing.count < left) else {
            throw Violation(.cs9, "\(standing.count) connections are left")
        }
        guard left == 1, lossesLeft == plan.losses, let last = standing.first else { return }
        let best = links.indices.filter { !isRefused($0, plan) }.map { cost(of: $0, plan) }.min()
        guard cost(of: last, plan) == best else { throw Violation(.cs9, "a worse connection is left") }
        for side in 0...1 where sides[side].set.map({ $0.best != id(of: last, at: side) }) == true {
            throw Violation(.cs9, "\(name(side)) uses another connection than is left")
        }
    }

    /// The order on which both sides agree (CS-1, CS-3).
    private func cost(of link: Int, _ plan: PathsPlan) -> Int {
        (plan.links[link].isRelayed ? 2 : 0) + plan.links[link].dialer
    }

    private func isRefused(_ link: Int, _ plan: PathsPlan) -> Bool {
        plan.links[link].mayBeRefused && links[link].ends[1 - plan.links[link].dialer].stage == .over
    }
}
