import Oxbow
import OxbowNIO

extension OxbowHost {
    /// Waits until every stream has ended at both sides, so that what was written last isn't cut off by the end of the
    /// process. A peer that doesn't end its side is waited for five seconds.
    func streamsEnded() async {
        let deadline = ContinuousClock.now + .seconds(5)
        while census.streams > 0, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
