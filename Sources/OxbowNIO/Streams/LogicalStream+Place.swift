import OxbowMigration
import Synchronization

/// Where a stream lives now.
struct StreamPlace {
    /// The connection on which it writes.
    let connection: ConnectionID
    /// The application wants it there.
    let isChosen: Bool
}

extension LogicalStream {
    /// Nil before the stream is bound and after its end.
    var place: StreamPlace? {
        state.withLock { state in
            guard state.failure == nil, let leg = state.legs[state.machine.writeLeg] ?? state.legs.source else {
                return nil
            }
            return StreamPlace(connection: leg.carrier.path.id, isChosen: state.isPlaceChosen)
        }
    }

    var isPlaceChosen: Bool { state.withLock { $0.isPlaceChosen } }

    /// The application has said where the stream is to be: from now on no policy moves it.
    func choosePlace() {
        state.withLock { $0.isPlaceChosen = true }
    }
}
