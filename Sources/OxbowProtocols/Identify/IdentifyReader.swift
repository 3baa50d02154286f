public import OxbowWire

/// Reads one identification, from an identify or a push stream: messages behind their lengths until the peer's end,
/// merged into one.
public struct IdentifyReader: Sendable, Hashable {
    private var merged: IdentifyMessage?
    private var count = 0
    private var failure: IdentifyError?
    private let maximumMessages: Int

    /// - Parameter maximumMessages: how many messages of at most 8 KiB are read. The bounds of the lists are
    ///   `IdentifyMessage`'s.
    public init(maximumMessages: Int = IdentifyMessage.maximumMessages) {
        precondition(maximumMessages > 0, "an identification is at least one message")
        self.maximumMessages = maximumMessages
    }

    /// Takes whole messages from the front of `input`.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(IdentifyError) {
        if let failure { throw failure }
        do throws(IdentifyError) {
            while let message = try next(&input) { try merge(message) }
        } catch {
            failure = error
            throw error
        }
    }

    /// The peer ended its side; `rest` is what ``receive(_:)`` has left.
    ///
    /// - Returns: what the peer said, not yet verified: see ``IdentifyInfo``.
    public mutating func receiveEnd(_ rest: ArraySlice<UInt8>) throws(IdentifyError) -> IdentifyMessage {
        if let failure { throw failure }
        guard let merged, rest.isEmpty else { throw .endedEarly }
        return merged
    }

    private func next(_ input: inout ArraySlice<UInt8>) throws(IdentifyError) -> IdentifyMessage? {
        do { return try IdentifyMessage.decodeDelimited(from: &input) } catch { throw .message(error) }
    }

    private mutating func merge(_ message: IdentifyMessage) throws(IdentifyError) {
        guard count < maximumMessages else { throw .tooManyMessages(limit: maximumMessages) }
        count += 1
        guard merged != nil else {
            merged = message
            return
        }
        do { try merged?.merge(message) } catch { throw .message(error) }
    }
}
