import OxbowCore
import OxbowMigration
import OxbowSwarm

extension PathsWorld {
    /// What can happen next.
    package func events(_ plan: PathsPlan) -> [PathsEvent] {
        var events: [PathsEvent] = []
        for link in links.indices { append(eventsOf: link, plan, to: &events) }
        for stream in streams.indices { append(eventsOfStream: stream, plan, to: &events) }
        for side in 0...1 {
            if tickMatters(side, plan) { events.append(.tick(side: side)) }
            if moveMatters(side, plan) { events.append(.move(side: side)) }
        }
        return events
    }

    /// Whether a world in which this can happen isn't at rest.
    package func isMandatory(_ event: PathsEvent, _ plan: PathsPlan) -> Bool {
        switch event {
        case .refuse, .lose, .degrade, .silence: false
        // As long as something is on the connection, to ask again changes nothing.
        case .pingAgain(let link, let side): count(on: link, at: side, plan) == 0
        default: true
        }
    }

    private func append(eventsOf link: Int, _ plan: PathsPlan, to events: inout [PathsEvent]) {
        let planned = plan.links[link]
        if planned.mayBeRefused, links[link].ends[1 - planned.dialer].stage == .shaking {
            events.append(.refuse(link: link))
        }
        let isUp = links[link].ends.first.stage == .open || links[link].ends.second.stage == .open
        if lossesLeft > 0, isUp, !links[link].isLost { events.append(.lose(link: link)) }
        for side in 0...1 {
            let end = links[link].ends[side]
            if end.stage == .shaking, !links[link].isLost { events.append(.connect(link: link, side: side)) }
            if end.owesLoss { events.append(.learnLoss(link: link, side: side)) }
            guard end.stage == .open else { continue }
            if !links[link].toward[side].isEmpty { events.append(.deliver(link: link, side: side)) }
            if end.owesLook { events.append(.look(link: link, side: side)) }
            if end.owesGivingUp { events.append(.giveUp(link: link, side: side)) }
            if end.restsFromPings { events.append(.pingAgain(link: link, side: side)) }
            if canDegrade(link, side) { events.append(.degrade(link: link, side: side)) }
            if recoveriesLeft > 0, sides[side].set?.isDegraded(end.id) == true {
                events.append(.recover(link: link, side: side))
            }
        }
    }

    private func append(eventsOfStream stream: Int, _ plan: PathsPlan, to events: inout [PathsEvent]) {
        let planned = plan.streams[stream]
        let opener = planned.opener
        switch streams[stream].ends[opener].stage {
        case .absent where sides[opener].set == nil:
            for link in links.indices where links[link].ends[opener].takesStreams {
                events.append(.open(stream: stream, on: link))
            }
        case .absent where usable(at: opener).first != nil: events.append(.open(stream: stream, on: nil))
        case .sent: events.append(.emerge(stream: stream))
        case .live where planned.ends: events.append(.end(stream: stream))
        default: break
        }
        for side in 0...1 where silencesLeft > 0 {
            let waits = streams[stream].ends[side].held.contains { $0.isDowngrade && !$0.isSilent }
            if waits { events.append(.silence(stream: stream, side: side)) }
        }
    }

    /// The connections that take streams, the best first, as `PeerState.usableConnections` has them.
    func usable(at side: Int) -> [Int] {
        guard let set = sides[side].set else { return [] }
        return set.usable.compactMap { link($0, at: side) }.filter { links[$0].ends[side].takesStreams }
    }

    private func canDegrade(_ link: Int, _ side: Int) -> Bool {
        guard degradationsLeft[side] > 0, let set = sides[side].set, set.best == links[link].ends[side].id else {
            return false
        }
        return set.usable.contains { $0 != set.best && set.roundTrip($0) != nil }
            && set.best.flatMap(set.roundTrip) != nil
    }

    /// Whether doing what is due changes anything: to look again at what isn't idle doesn't.
    private func tickMatters(_ side: Int, _ plan: PathsPlan) -> Bool {
        guard sides[side].set != nil else { return false }
        if links.contains(where: { $0.ends[side].owesLook || $0.ends[side].owesGivingUp }) { return false }
        var plan = plan
        plan.usesLoops = false
        var after = self
        // What goes wrong here goes wrong in the event, too.
        do throws(Violation) { try after.tick(side, PathsRun(plan)) } catch { return true }
        return after != self
    }

    /// Whether the turn of the next stream changes anything: to be told "not now" doesn't.
    private func moveMatters(_ side: Int, _ plan: PathsPlan) -> Bool {
        var after = sides[side].mover
        guard let key = after.next(at: .zero) else { return false }
        switch step(of: key, side, plan) {
        case .notNow: return false
        case .never, .begin: return true
        }
    }
}
