import CProtobufC
import OxbowMessagesC

/// A message of `/libp2p/autonat/2/dial-request` (libp2p specs, autonat/autonat-v2.md).
public enum AutoNATv2Message: WireMessage {
    /// The sender asks to be dialled at one of `addresses`, which are binary and best first, and to be shown `nonce`.
    case dialRequest(addresses: [[UInt8]], nonce: UInt64)
    case dialResponse(AutoNATv2Response)
    /// The server wants to be sent `count` bytes before it dials the address at `index`.
    case dialDataRequest(index: UInt64, count: UInt64)
    /// Some of those bytes.
    case dialData([UInt8])

    public static let name = "AutoNAT v2"
    /// 8 KiB, which is what others read.
    public static let maximumSize = 8 << 10
    /// The most addresses that are looked at; further ones are dropped.
    public static let maximumAddresses = 50
    /// The most bytes in one message of dial data.
    public static let maximumDialData = 4_096

    /// - Throws: ``WireError/typeNotSet(message:)`` when no type is set, too.
    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let unpacked = try Self.unpack(bytes, oxbow__autonat__v2__message__unpack)
        defer { oxbow__autonat__v2__message__free_unpacked(unpacked, nil) }
        let message = unpacked.pointee
        switch message.msg_case {
        case OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_REQUEST:
            guard let request = message.dial_request?.pointee else { throw .malformed(message: Self.name) }
            self = .dialRequest(
                addresses: UnsafeBufferPointer(start: request.addrs, count: request.n_addrs)
                    .prefix(Self.maximumAddresses).map(\.bytes),
                nonce: request.has_nonce == 0 ? 0 : request.nonce)
        case OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_RESPONSE:
            guard let response = message.dial_response?.pointee else { throw .malformed(message: Self.name) }
            self = .dialResponse(
                AutoNATv2Response(
                    status: response.has_status == 0 ? 0 : response.status,
                    index: response.has_addr_idx == 0 ? 0 : response.addr_idx,
                    dialStatus: response.has_dial_status == 0 ? 0 : response.dial_status))
        case OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_DATA_REQUEST:
            guard let request = message.dial_data_request?.pointee else { throw .malformed(message: Self.name) }
            self = .dialDataRequest(
                index: request.has_addr_idx == 0 ? 0 : request.addr_idx,
                count: request.has_num_bytes == 0 ? 0 : request.num_bytes)
        case OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_DATA_RESPONSE:
            guard let data = message.dial_data_response?.pointee else { throw .malformed(message: Self.name) }
            self = .dialData(data.has_data == 0 ? [] : data.data.bytes)
        default: throw .typeNotSet(message: Self.name)
        }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__Autonat__V2__Message()
        oxbow__autonat__v2__message__init(&message)
        switch self {
        case .dialRequest(let addresses, let nonce):
            var request = Oxbow__Autonat__V2__DialRequest()
            oxbow__autonat__v2__dial_request__init(&request)
            request.n_addrs = addresses.count
            request.addrs = arena.list(addresses.map { arena.bytes($0) })
            (request.has_nonce, request.nonce) = (1, nonce)
            message.msg_case = OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_REQUEST
            message.dial_request = arena.list([request])
        case .dialResponse(let answer):
            var response = Oxbow__Autonat__V2__DialResponse()
            oxbow__autonat__v2__dial_response__init(&response)
            (response.has_status, response.status) = (1, answer.status)
            (response.has_addr_idx, response.addr_idx) = (1, answer.index)
            (response.has_dial_status, response.dial_status) = (1, answer.dialStatus)
            message.msg_case = OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_RESPONSE
            message.dial_response = arena.list([response])
        case .dialDataRequest(let index, let count):
            var request = Oxbow__Autonat__V2__DialDataRequest()
            oxbow__autonat__v2__dial_data_request__init(&request)
            (request.has_addr_idx, request.addr_idx) = (1, index)
            (request.has_num_bytes, request.num_bytes) = (1, count)
            message.msg_case = OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_DATA_REQUEST
            message.dial_data_request = arena.list([request])
        case .dialData(let bytes):
            var data = Oxbow__Autonat__V2__DialDataResponse()
            oxbow__autonat__v2__dial_data_response__init(&data)
            (data.has_data, data.data) = (1, arena.bytes(bytes))
            message.msg_case = OXBOW__AUTONAT__V2__MESSAGE__MSG_DIAL_DATA_RESPONSE
            message.dial_data_response = arena.list([data])
        }
        return arena.pack(
            message, size: oxbow__autonat__v2__message__get_packed_size, pack: oxbow__autonat__v2__message__pack)
    }
}

/// What a server says of a request. The numbers are as they came: one that isn't known here makes the answer void.
public struct AutoNATv2Response: Hashable, Sendable {
    /// An ``AutoNATv2Status``.
    public var status: UInt64
    /// Which of the request's addresses was dialled, counted from zero.
    public var index: UInt64
    /// An ``AutoNATv2DialStatus``.
    public var dialStatus: UInt64

    /// An answer; index and dial status have a meaning only in one that is ``AutoNATv2Status/ok``.
    public init(status: UInt64, index: UInt64 = 0, dialStatus: UInt64 = 0) {
        (self.status, self.index, self.dialStatus) = (status, index, dialStatus)
    }
}

/// What became of a request.
public enum AutoNATv2Status: UInt64, Hashable, Sendable {
    case internalError = 0
    /// Too many requests, now or from this peer.
    case requestRejected = 100
    /// The server can't or won't dial any of the addresses.
    case dialRefused = 101
    /// An address was dialled.
    case ok = 200
}

/// What became of the address that was dialled.
public enum AutoNATv2DialStatus: UInt64, Hashable, Sendable {
    case unused = 0
    /// No connection came about.
    case dialError = 100
    /// There was a connection, but the nonce couldn't be shown on it.
    case dialBackError = 101
    case ok = 200
}

/// What a server sends on the connection that it made (`/libp2p/autonat/2/dial-back`).
public struct AutoNATDialBack: WireMessage {
    public static let name = "AutoNAT dial-back"
    /// 1 KiB, for what needs nine bytes: the rest is room for fields to come.
    public static let maximumSize = 1 << 10

    /// The number that the request had.
    public var nonce: UInt64

    public init(nonce: UInt64) {
        self.nonce = nonce
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__autonat__v2__dial_back__unpack)
        defer { oxbow__autonat__v2__dial_back__free_unpacked(message, nil) }
        nonce = message.pointee.has_nonce == 0 ? 0 : message.pointee.nonce
    }

    public func encoded() -> [UInt8] {
        let arena = PackArena()
        var message = Oxbow__Autonat__V2__DialBack()
        oxbow__autonat__v2__dial_back__init(&message)
        (message.has_nonce, message.nonce) = (1, nonce)
        return arena.pack(
            message, size: oxbow__autonat__v2__dial_back__get_packed_size, pack: oxbow__autonat__v2__dial_back__pack)
    }
}

/// The answer to a dial-back: the nonce has arrived.
public struct AutoNATDialBackResponse: WireMessage {
    public static let name = "AutoNAT dial-back response"
    /// 1 KiB, for what needs no byte at all.
    public static let maximumSize = 1 << 10

    /// 0 when all is well; nothing else is defined.
    public var status: UInt64

    public init(status: UInt64 = 0) {
        self.status = status
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__autonat__v2__dial_back_response__unpack)
        defer { oxbow__autonat__v2__dial_back_response__free_unpacked(message, nil) }
        status = message.pointee.has_status == 0 ? 0 : message.pointee.status
    }

    public func encoded() -> [UInt8] {
        let arena = PackArena()
        var message = Oxbow__Autonat__V2__DialBackResponse()
        oxbow__autonat__v2__dial_back_response__init(&message)
        // Not written when it is zero (proto3): others compare bytes.
        (message.has_status, message.status) = (status == 0 ? 0 : 1, status)
        return arena.pack(
            message, size: oxbow__autonat__v2__dial_back_response__get_packed_size,
            pack: oxbow__autonat__v2__dial_back_response__pack)
    }
}
